import CLinux
import Foundation
import MigrationCore

// The groups that an instance makes below its own. Its mounts show those of each hierarchy in which
// it may, see `CgroupMounts.divisible`.
extension Cgroup {
    /// Where the instance's own group lies in each hierarchy that it may divide.
    package var divisible: [(name: String, directory: String)] {
        mounts.divisible.map { ($0.name, $0.point + path) }
    }

    /// Makes the group where it may be divided, so that a mount of it can be. Idempotent.
    package func prepareToDivide() throws {
        for (_, directory) in divisible { try Directories.make(directory, mode: 0o755) }
    }

    /// Lets root of the instance make groups below its own. The limits of that stay root's here.
    ///
    /// - Parameter owner: root's number on the host.
    package func delegate(to owner: UInt32) throws {
        for (_, directory) in divisible {
            for name in [""] + Subgroups.delegated.map({ "/" + $0 })
            where SmallFile.exists(directory + name) {
                try own(directory + name, owner)
            }
        }
    }

    /// What the instance, which stands still, has made below its group.
    ///
    /// - Throws: `limitExceeded` for too many groups, `checkpointFailed` for threaded ones.
    package func subgroups() throws -> Subgroups {
        let version = mounts.version
        let depth = Numbers.ownDepth
        var found: [Subgroups.Group] = []
        for (name, root) in divisible {
            for directory in groups(below: root) where version == 2 || directory != root {
                guard found.count < Limit.subgroups else { throw Subgroups.tooMany }
                let path = String(directory.dropFirst(root.count).drop { $0 == "/" })
                found.append(try group(name, path, at: directory, version, depth))
            }
        }
        return Subgroups(version: version, groups: found)
    }

    private func group(
        _ hierarchy: String, _ path: String, at directory: String, _ version: Int, _ depth: Int
    ) throws -> Subgroups.Group {
        if version == 2, SmallFile.word("\(directory)/cgroup.type")?.contains("thread") == true {
            throw GodwitError(
                .checkpointFailed, "the instance's control group \(path) is threaded",
                remedy: "have it put whole processes into groups, or move with --cold")
        }
        // The limits of the instance's own group are those of its definition.
        let isOwn = path.isEmpty
        var group = Subgroups.Group(hierarchy: hierarchy, path: path)
        for name in isOwn ? ["cgroup.subtree_control"] : Subgroups.fileNames(version) {
            guard let text = SmallFile.word("\(directory)/\(name)"), !text.isEmpty else { continue }
            // Further lines are of disks, which have other numbers elsewhere.
            let lines = text.split(separator: "\n")
            group.files[name] = name == "io.weight" ? lines.first.map(String.init) : text
        }
        guard !isOwn else { return group }
        group.owner = owner(of: directory) ?? 0
        for name in names(in: directory) {
            guard let other = owner(of: "\(directory)/\(name)"), other != group.owner else {
                continue
            }
            // Groups below have an entry of their own.
            if !SmallFile.exists("\(directory)/\(name)/cgroup.procs") { group.owners[name] = other }
        }
        group.members = numbers(in: "\(directory)/\(Subgroups.memberFile(version))")
            .compactMap { Numbers.inner($0, depth: depth) }
        return group
    }

    /// Makes the groups anew, empty, and in version 1 with their limits. Before anything of the
    /// instance is restored: an open file may be in one of them.
    ///
    /// - Parameter owners: the instance's users on this host; nil if they are the host's.
    /// - Throws: `kernelRefused` where a limit cannot be kept.
    package func make(_ subgroups: Subgroups, owners: ClosedRange<UInt32>?) throws {
        let places = try places(of: subgroups)
        try passControllersOn(subgroups)
        // Of version 2 what makes the files of limits, which are written once all are in.
        let limits = mounts.version == 1 ? Subgroups.fileNames(1) : ["cgroup.subtree_control"]
        for (group, directory) in places {
            try Directories.make(directory, mode: 0o755)
            try writeLimits(limits, of: group, at: directory)
            for name in names(in: directory)
            where !SmallFile.exists("\(directory)/\(name)/cgroup.procs") {
                let owner = group.owners[name] ?? group.owner
                if owners?.contains(owner) != false { try own("\(directory)/\(name)", owner) }
            }
            if owners?.contains(group.owner) != false { try own(directory, group.owner) }
        }
    }

    /// A group of version 2 that passes controllers on may hold nobody, and the instance's own has
    /// CRIU and the first task in it. They go to a group below it, where the other tasks are born,
    /// until all are put where they were. It has no limit; what they use is the own group's once it
    /// is removed.
    private func passControllersOn(_ subgroups: Subgroups) throws {
        guard mounts.version == 2,
            let own = subgroups.groups.first(where: { $0.path.isEmpty && !$0.files.isEmpty })
        else { return }
        let root = (mounts.unified ?? "") + path
        try Directories.make(birthplace, mode: 0o755)
        for number in numbers(in: "\(root)/cgroup.procs") where number > 0 {
            try join(number, "\(birthplace)/cgroup.procs")
        }
        try writeLimits(["cgroup.subtree_control"], of: own, at: root)
    }

    private var birthplace: String { "\(mounts.unified ?? "")\(path)/godwit-restore" }

    /// Once CRIU has ended, which may be a moment after its last word.
    package func removeBirthplace() async {
        guard mounts.version == 2, SmallFile.exists(birthplace) else { return }
        _ = await holds(within: .seconds(1)) {
            unsafe rmdir(birthplace) == 0 || !SmallFile.exists(birthplace)
        }
    }

    /// Puts everyone where they were. Nobody runs meanwhile.
    ///
    /// Limits of version 2 follow: until here all were in one group.
    package func fill(_ subgroups: Subgroups) throws {
        let places = try places(of: subgroups)
        if places.contains(where: { !$0.group.members.isEmpty }) {
            let file = Subgroups.memberFile(mounts.version)
            let known = Numbers.byInner(
                groups(below: freezerDirectory).flatMap { numbers(in: "\($0)/\(file)") })
            for (group, directory) in places {
                for number in group.members.compactMap({ known[$0] }) {
                    try join(number, "\(directory)/\(file)")
                }
            }
        }
        guard mounts.version == 2 else { return }
        for (group, directory) in places {
            try writeLimits(Subgroups.fileNames(2), of: group, at: directory)
        }
    }

    /// All but the instance's own, which runc makes.
    private func places(of subgroups: Subgroups) throws -> [(
        group: Subgroups.Group, directory: String
    )] {
        guard subgroups.version == mounts.version else {
            throw GodwitError(
                .restoreFailed, "the instance's own control groups are of another version",
                remedy: "boot both hosts with the same version, or move with --cold")
        }
        let roots = Dictionary(divisible.map { ($0.name, $0.directory) }) { first, _ in first }
        return try subgroups.groups.filter { !$0.path.isEmpty }.map { group in
            guard let root = roots[group.hierarchy] else {
                throw GodwitError(
                    .restoreFailed,
                    "there is no hierarchy \(group.hierarchy.prefix(40)) for the instance's groups",
                    remedy: "mount it as on the other host")
            }
            return (group, "\(root)/\(group.path)")
        }
    }

    private func join(_ number: Int32, _ file: String) throws {
        do { try SmallFile.write("\(number)", to: file) } catch {
            // One that only waits to be reaped is in no group.
            let status = SmallFile.word("/proc/\(number)/status").map(ProcessStatus.init)
            guard status?.hasEnded == false else { return }
            throw error
        }
    }
}

/// Unchanged files are not written: some kernels take no limit back that they gave.
private func writeLimits(
    _ names: [String], of group: Subgroups.Group, at directory: String
) throws {
    for name in names {
        let file = "\(directory)/\(name)"
        guard let text = group.files[name], let present = SmallFile.word(file), present != text
        else { continue }
        switch name {
        case "cgroup.subtree_control":
            let words = text.split(separator: " ").map { "+\($0)" }
            try SmallFile.write(words.joined(separator: " "), to: file)
        case "cpuset.cpus", "cpuset.mems":
            let parent = Directories.parent(of: directory)
            let limit = SmallFile.word("\(parent)/\(name)") ?? ""
            try SmallFile.write(Subgroups.numbers(text, within: limit), to: file)
        default: try SmallFile.write(text, to: file)
        }
    }
}

extension Subgroups {
    /// A set of processors or memories as this host can give it: those that are in the parent's
    /// set, or all of that where none is.
    package static func numbers(_ text: String, within limit: String) -> String {
        guard let wished = try? ProcessorSet(parsing: text),
            let given = try? ProcessorSet(parsing: limit)
        else { return text }
        let kept = wished.numbers.intersection(given.numbers)
        return kept.isEmpty ? limit : kept.sorted().map { "\($0)" }.joined(separator: ",")
    }
}

/// Threads and processes by the numbers that they have inside.
private enum Numbers {
    /// How many namespaces of PIDs this process sees itself in; an instance's is the next.
    static var ownDepth: Int {
        ProcessStatus(SmallFile.word("/proc/self/status") ?? "").pids.count
    }

    static func inner(_ number: Int32, depth: Int) -> Int32? {
        guard let text = SmallFile.word("/proc/\(number)/status") else { return nil }
        let numbers = ProcessStatus(text).pids
        return numbers.count > depth ? numbers[depth] : nil
    }

    static func byInner(_ numbers: [Int32]) -> [Int32: Int32] {
        let depth = ownDepth
        let pairs = numbers.compactMap { number in
            inner(number, depth: depth).map { ($0, number) }
        }
        return Dictionary(pairs) { first, _ in first }
    }
}

private func numbers(in file: String) -> [Int32] {
    (SmallFile.word(file) ?? "").split(separator: "\n").compactMap { Int32($0) }
}

private func owner(of path: String) -> UInt32? { try? FileStatus.of(path)?.user }

private func own(_ path: String, _ owner: UInt32) throws {
    guard unsafe chown(path, owner, owner) == 0 else {
        throw GodwitError.kernel("give away \(path)")
    }
}
