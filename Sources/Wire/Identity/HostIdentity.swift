import Crypto
package import Foundation
package import MigrationCore
import NIOSSL
import SwiftASN1
import X509

/// Who this host is to other hosts: its private key and its self-signed certificate.
package struct HostIdentity: Sendable {
    /// DER.
    package let certificate: [UInt8]
    /// SHA-256 of the certificate in lower-case hexadecimal.
    package let fingerprint: String
    let key: P256.Signing.PrivateKey

    /// The certificate as peers keep it: DER in base 64.
    package var certificateText: String { Data(certificate).base64EncodedString() }

    /// - Throws: `state-unreadable` if the certificate is not one, or is another key's.
    package init(keyPEM: String, certificatePEM: String) throws(GodwitError) {
        do {
            let key = try P256.Signing.PrivateKey(pemRepresentation: keyPEM)
            let parsed = try Certificate(pemEncoded: certificatePEM)
            guard parsed.publicKey == Certificate.PublicKey(key.publicKey) else {
                throw GodwitError(.stateUnreadable, "host.key is not the key of host.crt")
            }
            var serializer = DER.Serializer()
            try parsed.serialize(into: &serializer)
            self.key = key
            certificate = serializer.serializedBytes
            fingerprint = Wire.fingerprint(ofDER: certificate)
        } catch let error as GodwitError {
            throw error
        } catch {
            throw GodwitError(
                .stateUnreadable,
                "host.key or host.crt is not a PEM file of this host's kind",
                cause: "\(error)"
            )
        }
    }

    /// Makes a new identity, valid for ten years from yesterday (clocks of hosts differ).
    ///
    /// - Returns: both files' texts.
    package static func generate(hostName: String, now: Date = Date()) throws -> (
        key: String, crt: String
    ) {
        let key = P256.Signing.PrivateKey()
        let day: TimeInterval = 86_400
        // X.520 bounds a common name at 64 characters.
        let name = try DistinguishedName { CommonName(String(hostName.prefix(64))) }
        let certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(key.publicKey),
            notValidBefore: now - day,
            notValidAfter: now + 3_653 * day,
            issuer: name,
            subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                // No key usage: one without certificate signing makes BoringSSL refuse the
                // certificate as its own issuer, and so every client that pins it as its trust
                // root.
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                SubjectAlternativeNames([.dnsName(hostName)])
            },
            issuerPrivateKey: Certificate.PrivateKey(key)
        )
        return (key.pemRepresentation, try certificate.serializeAsPEM().pemString)
    }

    var tlsCertificate: NIOSSLCertificate {
        get throws { try NIOSSLCertificate(bytes: certificate, format: .der) }
    }

    var tlsKey: NIOSSLPrivateKey {
        get throws {
            try NIOSSLPrivateKey(bytes: Array(key.derRepresentation), format: .der)
        }
    }
}

/// The name of a certificate everywhere in Godwit: SHA-256 of its DER in lower-case hexadecimal.
package func fingerprint(ofDER certificate: some Sequence<UInt8>) -> String {
    SHA256.hash(data: Array(certificate)).map { byte in
        let text = String(byte, radix: 16)
        return byte < 16 ? "0" + text : text
    }.joined()
}
