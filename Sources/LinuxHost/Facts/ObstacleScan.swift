import Foundation
package import MigrationCore

/// Looks through /proc for what makes a checkpoint fail, while the instance runs.
///
/// Only what CRIU 4.2 surely refuses is reported (criu/files.c, sockets.c, sk-inet.c, namespaces.c,
/// proc_parse.c, seize.c of that version). File locks, inotify, epoll, timers, eventfd, signalfd,
/// pidfd, memfd, packet, raw and netlink sockets and ttys are all dumped.
package enum ObstacleScan {
    /// What CRIU copies of a deleted file that is still open: the `ghost-limit` of
    /// Tools/Criu.swift.
    package static let ghostLimit = ByteCount.mebibytes(512)

    /// Of one process not more than this many of a kind: the cure is the same for all.
    private static let perKind = 4

    /// - Parameters:
    ///   - pids: every process of one instance, as this process's PID namespace numbers them. Those
    ///     that are gone are passed over.
    ///   - ghostLimit: the `ghost-limit` with which CRIU will be run.
    /// - Returns: at most `Limit.findings` obstacles. Blocks while it reads: some 10 µs a
    ///   descriptor.
    package static func obstacles(
        of pids: [Int32], ghostLimit: ByteCount = ghostLimit
    ) -> [Obstacle] {
        let entries = Set(pids).sorted().compactMap { ProcessEntry($0) }
        let scene = Scene(entries: entries, ghostLimit: ghostLimit)
        var found: [Obstacle] = []
        for entry in entries where found.count < Limit.findings {
            found += capped(entry.obstacles(in: scene)).map { kind, detail in
                Obstacle(kind: kind.rawValue, process: entry.title, detail: printable(detail))
            }
        }
        return Array(found.prefix(Limit.findings))
    }

    private static func capped(
        _ found: [(ObstacleKind, String)]
    ) -> [(ObstacleKind, String)] {
        var counts: [ObstacleKind: Int] = [:]
        return found.filter { kind, _ in
            counts[kind, default: 0] += 1
            return counts[kind, default: 0] <= perKind
        }
    }
}

/// What of an instance as a whole decides about one process of it.
struct Scene {
    let pids: Set<Int32>
    /// The process with number 1 in a PID namespace of its own, if the instance has one.
    let first: ProcessEntry?
    /// The namespaces that the others must share, and those of this process, which CRIU runs in
    /// too.
    let namespaces: [String: Set<String>]
    /// The mounts of all mount namespaces of the instance.
    let mountIDs: Set<Int>
    let ghostLimit: ByteCount
    /// Version 1 control groups freeze a task so deep that it never answers `PTRACE_SEIZE` if it
    /// was stopped before: CRIU would wait for ever.
    let hasOldFreezer = (try? CgroupMounts.current().version) == 1

    /// Namespaces that CRIU takes only from the first process; mount and network may be nested.
    static let single = ["user", "pid", "ipc", "uts", "cgroup", "time"]

    init(entries: [ProcessEntry], ghostLimit: ByteCount) {
        pids = Set(entries.map(\.pid))
        let first = entries.first { $0.status.isFirstOfNamespace }
        self.first = first
        // Numbers wrap around: a child's may be lower than its parent's.
        let pids = self.pids
        let reference = first ?? entries.first { !pids.contains($0.status.parent) }
        namespaces = Dictionary(
            uniqueKeysWithValues: Self.single.map { name in
                let allowed = [
                    reference.flatMap { $0.namespace(name) }, link("/proc/self/ns/\(name)"),
                ]
                return (name, Set(allowed.compactMap(\.self)))
            })
        mountIDs = Self.mounts(of: entries)
        self.ghostLimit = ghostLimit
    }

    /// A process sees only the mounts below its own root, so each root of each namespace is read.
    private static func mounts(of entries: [ProcessEntry]) -> Set<Int> {
        var seen: Set<[String?]> = []
        var found: Set<Int> = []
        for entry in entries {
            let view = [entry.namespace("mnt"), link("/proc/\(entry.pid)/root")]
            guard seen.insert(view).inserted else { continue }
            let text = smallFile("/proc/\(entry.pid)/mountinfo") ?? ""
            found.formUnion(text.split(separator: "\n").compactMap { MountEntry($0)?.id })
        }
        return found
    }
}

/// What a terminal can show of a text that an instance chose: no control characters, not too long.
package func printable(_ text: String) -> String {
    let safe = text.unicodeScalars.prefix(300).map { scalar in
        scalar.value >= 0x20 && scalar.value != 0x7f && !(0x80..<0xa0).contains(scalar.value)
            ? Character(scalar) : "?"
    }
    return String(safe)
}
