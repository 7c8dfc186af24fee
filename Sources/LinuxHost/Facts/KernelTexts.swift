package import MigrationCore

/// Files under /proc and /sys, read into facts. Every function is pure and takes any text.
package enum KernelTexts {
    /// What all processors have in common: `flags` of x86, `Features` of arm64.
    package static func processorFeatures(cpuinfo: String) -> Set<String> {
        var last: Substring?
        var common: Set<Substring>?
        for line in cpuinfo.split(separator: "\n") {
            guard line.hasPrefix("flags") || line.hasPrefix("Features"),
                let colon = line.firstIndex(of: ":"), line != last
            else { continue }
            last = line
            let names = Set(line[colon...].dropFirst().split(separator: " "))
            common = common?.intersection(names) ?? names
        }
        return Set((common ?? []).map(String.init))
    }

    /// `MemAvailable` of /proc/meminfo; zero where there is none.
    package static func memoryAvailable(meminfo: String) -> ByteCount {
        size(of: "MemAvailable:", in: meminfo)
    }

    /// What of files is still to be written to disks, on the whole host: `Dirty` and `Writeback`.
    package static func unwritten(meminfo: String) -> ByteCount {
        size(of: "Dirty:", in: meminfo) + size(of: "Writeback:", in: meminfo)
    }

    private static func size(of word: String, in meminfo: String) -> ByteCount {
        let line = meminfo.split(separator: "\n").lazy
            .compactMap { value(of: word, in: $0) }.first
        let kibibytes = line?.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
        guard kibibytes <= .max >> 10 else { return ByteCount(bytes: .max) }
        return .kibibytes(kibibytes)
    }

    /// The last word of each line of /proc/filesystems.
    package static func filesystems(_ text: String) -> Set<String> {
        Set(
            text.split(separator: "\n").compactMap { line in
                line.split { $0 == "\t" || $0 == " " }.last.map(String.init)
            })
    }

    /// - Parameters:
    ///   - mounts: /proc/self/mountinfo, whose hierarchies of version 1 name their controllers
    ///     among
    ///     the options.
    ///   - known: /proc/cgroups, by which controllers are told from other options.
    ///   - unified: reads `cgroup.controllers` of the unified hierarchy, given its mount point.
    package static func cgroup(
        mounts: String, known: String, unified: (String) -> String?
    ) -> CgroupFacts {
        let names = Set(
            known.split(separator: "\n").filter { !$0.hasPrefix("#") }
                .compactMap { $0.split(separator: "\t").first.map(String.init) })
        let entries = mounts.split(separator: "\n").compactMap { MountEntry($0) }
        let options = entries.filter { $0.filesystem == "cgroup" }.flatMap(\.superOptions)
        let controllers = names.intersection(options)
        if !controllers.isEmpty { return CgroupFacts(version: 1, controllers: controllers) }
        guard let point = entries.first(where: { $0.filesystem == "cgroup2" })?.point else {
            return CgroupFacts(version: 0, controllers: [])
        }
        let words = (unified(point) ?? "").split { $0 == " " || $0 == "\n" }.map(String.init)
        return CgroupFacts(version: 2, controllers: Set(words))
    }
}

/// One line of a mountinfo file (proc_pid_mountinfo(5)).
package struct MountEntry: Equatable {
    package let id: Int
    /// With the kernel's octal escapes for blanks.
    package let point: String
    package let filesystem: String
    package let superOptions: [String]

    package init?(_ line: Substring) {
        let words = line.split(separator: " ")
        guard words.count >= 10, let id = Int(words[0]),
            let dash = words.dropFirst(6).firstIndex(of: "-"), dash + 3 < words.count
        else { return nil }
        self.id = id
        point = String(words[4])
        filesystem = String(words[dash + 1])
        superOptions = words[dash + 3].split(separator: ",").map(String.init)
    }
}
