/// The options that CRIU takes from a configuration file, which runc names with the annotation
/// `org.criu.config`; they outrank what runc says.
package enum Criu {
    /// - Parameter closesConnections: established TCP connections are dumped and restored as
    ///   closed.
    package static func configuration(closesConnections: Bool) -> String {
        let lines = [
            // runc puts the container into its control group itself; CRIU would take 25 ms for it.
            "manage-cgroups=ignore",
            // The host end of the veth is down from the freeze until the instance runs, which locks
            // more than CRIU's iptables rules would, and saves 90 ms of dump and 50 ms of restore.
            "network-lock=skip",
            // runc's hook makes interfaces, addresses and routes anew from the definition, which
            // the instance has no right to change (no CAP_NET_ADMIN, /proc/sys is read-only).
            "empty-ns=net",
            // Connections that are not yet accepted are dropped: the client tries them again.
            "skip-in-flight",
            "link-remap",
            "ghost-limit=512M",
        ]
        return (lines + (closesConnections ? ["tcp-close"] : [])).map { $0 + "\n" }.joined()
    }
}

// The library `libgodwit-criu.so` that is preloaded into CRIU by runc's environment.
extension Criu {
    /// Where the library lies that belongs to the program at `executable`.
    package static func library(of executable: String) -> String {
        let folder = executable.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        return folder.joined(separator: "/") + "/libgodwit-criu.so"
    }

    /// For a dump that leaves out the memory listed in a file, see `hiddenPages`. If the library
    /// does not come into effect CRIU dumps everything.
    ///
    /// - Parameters:
    ///   - mappings: a directory; a file in it named after a process says what CRIU would read in
    ///     its smaps, see `MappingFlags`.
    ///   - mark: a file that does not exist; afterwards its first byte is 0 if the dump has left
    ///     the instance's files alone. If the library does not come into effect there is none.
    ///   - hold: the directory of a `CriuHold` that keeps CRIU from freezing; the files need not be
    ///     there before that lets go.
    package static func hiding(
        _ file: String, mappings: String, mark: String, library: String, hold: String? = nil
    ) -> [String: String] {
        preloading(library, hold).merging(
            [
                "GODWIT_HIDDEN_PAGES": file, "GODWIT_MAPPINGS": mappings, "GODWIT_TOUCHED": mark,
            ]) { $1 }
    }

    /// For a restore with our page server: tasks in a user namespace get their userfaultfds, and
    /// none runs before the server has agreed.
    ///
    /// - Parameter hold: the directory of a `CriuHold` that keeps CRIU from reading images.
    package static func restoringLazily(library: String, hold: String? = nil) -> [String: String] {
        preloading(library, hold).merging(["GODWIT_LAZY_RESTORE": "1"]) { $1 }
    }

    /// For every dump.
    ///
    /// - Parameter expired: a file that does not exist; afterwards it has a line `THREAD SIGNAL
    ///   CODE TIMER` for each signal of a timer that waited for a thread when CRIU left it, see
    ///   `TimerImages`. If the library does not come into effect there is none.
    package static func noting(_ expired: String, library: String) -> [String: String] {
        preloading(library, nil).merging(["GODWIT_EXPIRED": expired]) { $1 }
    }

    private static func preloading(_ library: String, _ hold: String?) -> [String: String] {
        let held = hold.map { ["GODWIT_HOLD": $0] } ?? [:]
        return held.merging(["LD_PRELOAD": library]) { $1 }
    }

    /// The file for `hiding`.
    ///
    /// - Parameter ranges: whole mappings, or pages, by the pids that CRIU will see; those of each
    ///   pid apart from each other.
    package static func hiddenPages(_ ranges: [Int32: [Range<UInt64>]]) -> String {
        ranges.sorted { $0.key < $1.key }.flatMap { pid, ranges in
            ranges.sorted { $0.lowerBound < $1.lowerBound }.map { range in
                precondition(!range.isEmpty)
                let start = String(range.lowerBound, radix: 16)
                return "\(pid) \(start) \(String(range.upperBound, radix: 16))\n"
            }
        }.joined()
    }
}
