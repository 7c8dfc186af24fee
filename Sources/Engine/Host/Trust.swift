import Crypto
import Foundation
package import MigrationCore

/// What a token says to the host that it is given to.
package struct TrustToken: Codable, Equatable, Sendable {
    /// How the host that made it calls itself.
    package var name: String
    package var addresses: [String]
    package var fingerprint: String
    /// 32 random bytes in base 64.
    package var secret: String
    package var expires: Timestamp

    private static let prefix = "godwit1."

    package var text: String {
        get throws { try Self.prefix + encoded(self).base64EncodedString().forURLs }
    }

    package init(
        name: String, addresses: [String], fingerprint: String, secret: String, expires: Timestamp
    ) {
        self.name = name
        self.addresses = addresses
        self.fingerprint = fingerprint
        self.secret = secret
        self.expires = expires
    }

    /// - Throws: `tokenRejected` if the text is not a token.
    package init(_ text: String) throws(GodwitError) {
        let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.utf8.count <= Limit.word.bytes, text.hasPrefix(Self.prefix),
            let data = Data(base64Encoded: String(text.dropFirst(Self.prefix.count)).fromURLs),
            let token = try? decoded(TrustToken.self, data)
        else { throw GodwitError.rejectedToken("it is not one, or not whole") }
        self = token
    }
}

extension String {
    fileprivate var forURLs: String {
        replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    fileprivate var fromURLs: String {
        let plain = replacing("-", with: "+").replacing("_", with: "/")
        return plain + String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
    }
}

extension HostService {
    package func remotes() async throws -> [RemoteView] {
        try store.peers()
            .map {
                RemoteView(name: $0.name, addresses: $0.addresses, fingerprint: $0.fingerprint)
            }
    }

    package func trusted() async throws -> [PeerIdentity] {
        try store.peers().map { PeerIdentity(fingerprint: $0.fingerprint, name: $0.name.text) }
    }

    package func addTrust(_ name: RemoteName) async throws -> String {
        guard try store.peer(named: name) == nil else {
            throw GodwitError(
                .nameTaken,
                "another host is known as \(name) already",
                remedy: "choose another name, or remove that one first"
            )
        }
        let secret = Data((0..<32).map { _ in UInt8.random(in: .min ... .max) })
            .base64EncodedString()
        let now = Timestamp.now
        let expires = Timestamp(milliseconds: now.milliseconds + 3_600_000)
        try store.insertToken(hash: hash(secret), for: name, expires: expires, now: now)
        return try TrustToken(
            name: configuration.name,
            addresses: configuration.addresses,
            fingerprint: configuration.fingerprint,
            secret: secret,
            expires: expires
        )
        .text
    }

    package func redeem(_ request: TokenRedemption) async throws -> TokenAcceptance {
        let minute = ContinuousClock.now - .seconds(60)
        tokenAttempts.removeAll { $0 < minute }
        guard tokenAttempts.count < Limit.tokenAttemptsPerMinute else {
            throw GodwitError(
                .tooManyAttempts,
                "too many tokens were tried within a minute",
                remedy: "wait a minute"
            )
        }
        tokenAttempts.append(.now)
        let fingerprint = try fingerprint(ofCertificate: request.certificate)
        guard fingerprint != configuration.fingerprint else { throw GodwitError.ourselves }
        let peer = try store.spendToken(hash: hash(request.secret), now: .now) { name in
            PeerRecord(
                name: name,
                fingerprint: fingerprint,
                certificate: request.certificate,
                addresses: Array(request.addresses.prefix(Limit.interfacesPerInstance))
            )
        }
        return TokenAcceptance(name: peer.name.text, hostName: configuration.name)
    }

    package func addRemote(_ name: RemoteName, token text: String) async throws {
        let token = try TrustToken(text)
        guard token.expires > .now else { throw GodwitError.rejectedToken("it has expired") }
        guard token.fingerprint != configuration.fingerprint else { throw GodwitError.ourselves }
        for known in try store.peers()
        where known.name == name || known.fingerprint == token.fingerprint {
            throw GodwitError(
                .nameTaken,
                "a host is known as \(known.name) already",
                remedy: "choose another name, or remove that one first"
            )
        }
        let answer = try await trustDialer.redeem(
            secret: token.secret,
            at: token.addresses,
            fingerprint: token.fingerprint,
            name: configuration.name,
            ownAddresses: configuration.addresses
        )
        guard try fingerprint(ofCertificate: answer.certificate) == token.fingerprint else {
            throw GodwitError(
                .peerUntrusted,
                "the host at \(token.addresses.joined(separator: ", ")) is not the token's",
                remedy: "check the addresses, and make a new token"
            )
        }
        try store.insert(
            PeerRecord(
                name: name,
                fingerprint: token.fingerprint,
                certificate: answer.certificate,
                addresses: token.addresses
            )
        )
    }

    package func removeRemote(_ name: RemoteName) async throws {
        let peer = try await KnownPeers(in: store).peer(named: name)
        let migration =
            sources.values.first { $0.context.remote == name && !$0.isConcluded }?.id
            ?? targets.values.first { $0.peer.fingerprint == peer.fingerprint }?.id
        if let migration {
            throw GodwitError(
                .busy,
                "migration \(migration) needs the remote \(name)",
                remedy: "wait until it is over, or cancel it"
            )
        }
        try store.removePeer(name)
    }

    /// Trust goes both ways: a host that may not come in is no remote either.
    package func removeTrust(_ name: RemoteName) async throws { try await removeRemote(name) }
}

private func hash(_ secret: String) -> String { SHA256.hash(data: Data(secret.utf8)).hexadecimal }

private func fingerprint(ofCertificate certificate: String) throws -> String {
    guard let der = Data(base64Encoded: certificate) else {
        throw GodwitError(.badRequest, "the certificate is not base 64")
    }
    return SHA256.hash(data: der).hexadecimal
}

extension GodwitError {
    fileprivate static let ourselves = GodwitError(
        .badRequest,
        "the token is this host's own",
        remedy: "use it on the other host"
    )
}
