import Foundation
package import MigrationCore
import NIOCore
package import NIOSSL
import Synchronization

/// What a connection is for, as TLS negotiates it (ALPN).
package enum ApplicationProtocol {
    /// The API.
    package static let http = "http/1.1"
    /// Control conversations and data streams.
    package static let peer = "godwit/1"
    /// The token exchange, all that a host not yet trusted can reach.
    package static let token = "godwit-token/1"
}

extension HostIdentity {
    /// The listener's side: TLS 1.3 only, and no client without a certificate.
    ///
    /// Any certificate passes the handshake; who may do what is decided after it, by fingerprint.
    func serverContext() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(try tlsCertificate)],
            privateKey: .privateKey(try tlsKey)
        )
        configuration.minimumTLSVersion = .tlsv13
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        configuration.applicationProtocols = [
            ApplicationProtocol.peer, ApplicationProtocol.token, ApplicationProtocol.http,
        ]
        return try NIOSSLContext(configuration: configuration)
    }

    func clientContext(_ applicationProtocol: String) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateChain = [.certificate(try tlsCertificate)]
        configuration.privateKey = .privateKey(try tlsKey)
        configuration.minimumTLSVersion = .tlsv13
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        configuration.applicationProtocols = [applicationProtocol]
        return try NIOSSLContext(configuration: configuration)
    }

    /// For an HTTP client that has no verification callback: trusts exactly `peer` and shows this
    /// host's certificate.
    ///
    /// - Parameter peer: the remote's certificate, DER in base 64.
    package func httpClientConfiguration(pinning peer: String) throws(GodwitError)
        -> TLSConfiguration
    {
        do {
            let pinned = try NIOSSLCertificate(
                bytes: Array(Data(base64Encoded: peer) ?? Data()),
                format: .der
            )
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateChain = [.certificate(try tlsCertificate)]
            configuration.privateKey = .privateKey(try tlsKey)
            configuration.minimumTLSVersion = .tlsv13
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates([pinned])
            configuration.applicationProtocols = [ApplicationProtocol.http]
            return configuration
        } catch {
            throw GodwitError(
                .stateUnreadable,
                "the certificate kept of the remote is not one",
                remedy: "remove the remote and add it again",
                cause: "\(error)"
            )
        }
    }
}

/// Holds a dialed host to the certificate that is known of it, and remembers what it showed
/// instead.
final class Pin: Sendable {
    let expected: String
    private let seen = Mutex<[UInt8]?>(nil)

    init(_ fingerprint: String) { expected = fingerprint }

    /// What the peer showed, DER.
    var shown: [UInt8]? { seen.withLock { $0 } }

    /// The fingerprint that the peer showed, if it is not the expected one.
    var mismatch: String? {
        shown.map { fingerprint(ofDER: $0) }.flatMap { $0 == expected ? nil : $0 }
    }

    func verify(_ chain: [NIOSSLCertificate], _ verdict: EventLoopPromise<NIOSSLVerificationResult>)
    {
        let leaf = chain.first.flatMap { try? $0.toDERBytes() }
        seen.withLock { $0 = leaf }
        verdict.succeed(leaf != nil && mismatch == nil ? .certificateVerified : .failed)
    }
}
