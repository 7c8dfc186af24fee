package import MigrationCore
package import NIOCore

/// What stands before every frame between hosts.
///
///     0        4       6        8                16
///     +--------+-------+--------+-----------------+
///     | "GDWT" | v: u16| kind   | payload bytes   |   little-endian
///     +--------+-------+--------+-----------------+
///
/// There is no checksum: TLS has authenticated every byte. A reader takes its own version and the
/// one before it, and names both when it refuses.
package struct FrameHeader: Equatable {
    package static let magic: UInt32 = 0x5457_4447
    package static let size = 16
    package static let versions: ClosedRange<UInt16> = 1...1

    package let version: UInt16
    package let kind: FrameKind
    package let payload: UInt64

    package init(version: UInt16 = versions.upperBound, kind: FrameKind, payload: UInt64) {
        self.version = version
        self.kind = kind
        self.payload = payload
    }

    /// - Precondition: `bytes` holds at least `FrameHeader.size` bytes.
    package init(reading bytes: inout ByteBuffer) throws(GodwitError) {
        guard
            let (magic, version, kind, payload) = bytes.readMultipleIntegers(
                endianness: .little,
                as: (UInt32, UInt16, UInt16, UInt64).self
            )
        else { preconditionFailure("a header is read from \(bytes.readableBytes) bytes") }
        guard magic == Self.magic else {
            throw GodwitError(.protocolViolation, "the peer sent bytes that are no frame")
        }
        guard Self.versions.contains(version) else {
            throw GodwitError(
                .peerIncompatible,
                "the peer sent a frame of version \(version), this host reads "
                    + "\(Self.versions.lowerBound) to \(Self.versions.upperBound)",
                remedy: "update the older of the two hosts"
            )
        }
        guard let known = FrameKind(rawValue: kind) else {
            throw GodwitError(.protocolViolation, "the peer sent a frame of unknown kind \(kind)")
        }
        self.init(version: version, kind: known, payload: payload)
    }

    package func write(into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(
            Self.magic,
            version,
            kind.rawValue,
            payload,
            endianness: .little
        )
    }
}

/// What a frame carries.
package enum FrameKind: UInt16, CaseIterable {
    /// The first frame of each side: a `StreamHello` in JSON, echoed by the listener once it
    /// accepts.
    case hello = 1
    /// One message in JSON.
    case message = 2
    /// Bytes of a stream, at least one.
    case data = 3
    /// Nothing more will follow from this side.
    case end = 4
    /// Why this side ends the connection: a `GodwitError` in JSON.
    case failure = 5
    /// A sign of life.
    case ping = 6
}

/// Which frames a connection takes at the moment, and how long each may be.
package struct FrameRules: Equatable {
    private let ceilings: [FrameKind: ByteCount]

    package static let nothing = FrameRules(ceilings: [:])
    package static let hello = FrameRules(ceilings: [.hello: Limit.hello])
    package static let helloOrRefusal = FrameRules(ceilings: [
        .hello: Limit.hello, .failure: Limit.failure,
    ])
    package static let control = FrameRules(ceilings: [
        .message: Limit.message, .end: .zero, .failure: Limit.failure, .ping: .zero,
    ])
    package static let stream = FrameRules(ceilings: [
        .data: Limit.frame, .end: .zero, .failure: Limit.failure,
    ])
    package static let token = FrameRules(ceilings: [.message: Limit.tokenMessage])
    package static let tokenAnswer = FrameRules(ceilings: [
        .message: Limit.tokenMessage, .failure: Limit.failure,
    ])

    /// The payload's length, if a frame may come now and be so long.
    package func admit(_ header: FrameHeader) throws(GodwitError) -> Int {
        guard let ceiling = ceilings[header.kind] else {
            throw GodwitError(
                .protocolViolation,
                "the peer sent a \(header.kind) frame where none may come"
            )
        }
        guard header.payload <= ceiling.bytes else {
            throw GodwitError(
                .limitExceeded,
                "the peer announced a \(header.kind) frame of \(header.payload) bytes, "
                    + "\(ceiling.bytes) are allowed"
            )
        }
        guard header.kind != .data || header.payload > 0 else {
            throw GodwitError(.protocolViolation, "the peer sent an empty data frame")
        }
        return Int(header.payload)
    }
}
