import Foundation
import Glibc
import Logging
import MigrationCore
import NIOCore
import Synchronization

/// What a host not yet trusted says to redeem a token; its certificate comes from TLS alone.
struct TokenRequest: Codable, Equatable {
    var secret: String
    var name: String
    var addresses: [String]
}

/// Counts the attempts to redeem a token, by address and in all.
final class TokenAttempts: Sendable {
    private let limiter = Mutex(
        AttemptLimiter(each: Limit.tokenAttemptsPerMinute, all: Limit.tokenAttemptsPerMinuteInAll)
    )
    private let start = ContinuousClock.now

    func admits(_ address: SocketAddress?) -> Bool {
        let name = attemptName(ofAddress: address?.packed ?? [])
        return limiter.withLock { $0.admits(name, now: ContinuousClock.now - start) }
    }
}

extension SocketAddress {
    /// In network order; empty for what is not on a network.
    fileprivate var packed: [UInt8] {
        guard let text = ipAddress else { return [] }
        switch self {
        case .v4: return text.split(separator: ".").compactMap { UInt8($0) }
        case .v6(let address):
            return unsafe withUnsafeBytes(of: address.address.sin6_addr) { bytes in
                // SAFETY: the copy is made while the address is in scope.
                unsafe Array(bytes)
            }
        case .unixDomainSocket: return []
        }
    }
}

extension PeerListener {
    /// The token exchange: one message in, one answer out.
    func exchange(_ link: FrameLink) async throws {
        try await install(link, .token)
        guard attempts.admits(link.channel.remoteAddress) else {
            throw GodwitError(
                .tooManyAttempts,
                "too many tokens were tried from \(link.peer)",
                remedy: "wait a minute"
            )
        }
        guard let frame = try await link.next() else { return link.hangUp() }
        let answer = try await redeemed(frame.payload, by: certificate(of: link.channel))
        try await link.send(.message, Payload.encode(answer, limit: Limit.tokenMessage))
        await settle(link.channel)
        link.awaitHangUp()
    }

    private func redeemed(_ bytes: [UInt8], by certificate: [UInt8]) async throws -> TokenAcceptance
    {
        let request = try Payload.decode(TokenRequest.self, from: bytes)
        guard request.addresses.count <= Limit.addresses else {
            throw GodwitError(.limitExceeded, "more than \(Limit.addresses) addresses were given")
        }
        do {
            return try await redeem(
                TokenRedemption(
                    secret: request.secret,
                    certificate: Data(certificate).base64EncodedString(),
                    name: request.name,
                    addresses: request.addresses
                )
            )
        } catch let error as GodwitError {
            throw error
        } catch {
            logger.error("token exchange", metadata: ["error": "\(error)"])
            throw GodwitError(.internalFault, "the token could not be redeemed")
        }
    }
}
