import LinuxHost
import TestSupport

/// What an instance of a measurement stands on, beside busybox. Nothing compresses it.
package enum StorageFiles: Sendable {
    /// MiB in files of 4 MiB.
    case many(mebibytes: Int)
    /// Files of 2 KiB, a hundred in a directory.
    case small(Int)
    /// MiB in one file.
    case one(mebibytes: Int)

    package var bytes: UInt64 {
        switch self {
        case .many(let size), .one(let size): UInt64(size) << 20
        case .small(let count): UInt64(count) << 11
        }
    }

    /// The case's name.
    package var title: String {
        switch self {
        case .many(let size): "\(Self.shown(size)) of files"
        case .small(let count): "\(Self.grouped(count)) small files"
        case .one(let size): "one file of \(Self.shown(size))"
        }
    }

    /// A root filesystem with them below `/files`.
    func make(below root: String) async throws {
        let base = try await RootFilesystem.tiny.path()
        try await Command("cp", ["-a", base, root]).check()
        try await Command(
            "bash",
            ["-euo", "pipefail", "-c", "mkdir \"$1/files\"; cd \"$1/files\"; \(script)", "bash"]
                + [root, number]
        ).check()
    }

    private var number: String {
        switch self {
        case .many(let size), .one(let size): "\(size)"
        case .small(let count): "\(count)"
        }
    }

    /// `$2` is the number.
    private var script: String {
        switch self {
        case .many: "head -c \"$2\"M /dev/urandom | split -b 4M -d -a 5 - ''"
        case .one: "head -c \"$2\"M /dev/urandom > one"
        case .small:
            """
            for ((first = 0; first < $2; first += 100)); do
                mkdir $first; count=$(($2 - first < 100 ? $2 - first : 100))
                head -c $((count * 2))K /dev/urandom | split -b 2K -d -a 2 - $first/
            done
            """
        }
    }

    private static func shown(_ mebibytes: Int) -> String {
        mebibytes % 1_024 == 0 ? "\(mebibytes / 1_024) GiB" : "\(mebibytes) MiB"
    }

    private static func grouped(_ number: Int) -> String {
        guard number >= 1_000 else { return "\(number)" }
        return "\(grouped(number / 1_000)),\("\(1_000 + number % 1_000)".dropFirst())"
    }
}
