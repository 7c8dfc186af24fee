import Foundation

/// How a file is compressed, by its first bytes.
package enum Compression: Equatable, Sendable {
    case none, gzip, zstd, xz

    /// - Throws: `kernelRefused` if the file cannot be read.
    package static func of(_ path: String) throws -> Compression {
        let first = try Descriptor.open(path, O_RDONLY).read(upTo: 6)
        return all.first { first.starts(with: $0.1) }?.0 ?? .none
    }

    private static let all: [(Compression, [UInt8])] = [
        (.gzip, [0x1f, 0x8b]), (.zstd, [0x28, 0xb5, 0x2f, 0xfd]),
        (.xz, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]),
    ]
}

/// All that is asked of `gzip`.
package enum Gzip {
    package static func decompress(_ file: String) -> Command {
        Command("gzip", ["--decompress", "--stdout", "--", file])
    }
}

/// All that is asked of `zstd`.
package enum Zstd {
    package static func decompress(_ file: String) -> Command {
        Command("zstd", ["--decompress", "--stdout", "--quiet", "--", file])
    }
}

/// All that is asked of `xz`.
package enum Xz {
    package static func decompress(_ file: String) -> Command {
        Command("xz", ["--decompress", "--stdout", "--", file])
    }
}
