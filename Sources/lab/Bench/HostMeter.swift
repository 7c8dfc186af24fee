import Foundation
import LinuxHost
import TestSupport

/// Counts what everything that was started through it on one host has used, whatever has ended
/// meanwhile: cgroups of their own for processor time and memory.
///
/// The workload is not in them: runc, LXC and Podman put it into cgroups of its own. Neither are
/// the kernel's threads and the lab's own `nsenter`.
struct HostMeter: Sendable {
    private let folders: [Folder]

    private struct Folder: Sendable {
        let path: String
        let controller: Controller
    }

    private enum Controller: String, CaseIterable { case processor = "cpuacct", memory }

    /// Makes the cgroups. Their name begins with the lab's prefix, so that they go with the lab.
    ///
    /// - Throws: what the filesystem says.
    init(host: String, of lab: Lab) throws {
        let name = lab.cgroupParent(of: host) + "-bench"
        folders = Controller.allCases.compactMap { controller in
            Self.root(of: controller).map { Folder(path: $0 + "/" + name, controller: controller) }
        }
        for folder in folders {
            try FileManager.default.createDirectory(
                atPath: folder.path, withIntermediateDirectories: true)
        }
    }

    /// Version 1 has a folder for each controller, version 2 one for all.
    private static func root(of controller: Controller) -> String? {
        let root = "/sys/fs/cgroup"
        let places = [root + "/" + controller.rawValue, root]
        return places.first { place in
            FileManager.default.fileExists(atPath: place + "/cgroup.procs")
        }
    }

    /// The same command, which puts itself into the cgroups first.
    func counting(_ words: [String]) -> [String] {
        let joins = Set(folders.map(\.path)).sorted().map { "echo 0 >\($0)/cgroup.procs" }
        let script = (joins + ["exec \"$@\""]).joined(separator: " && ")
        return ["sh", "-c", script, "sh"] + words
    }

    /// Seconds of all of it until now.
    var processorSeconds: Double { Self.processorSeconds(in: folder(.processor)) }

    /// Of a cgroup named from the root, and all that was ever below it.
    static func processorSeconds(ofGroup name: String) -> Double {
        processorSeconds(in: root(of: .processor).map { $0 + "/" + name })
    }

    private static func processorSeconds(in folder: String?) -> Double {
        guard let folder else { return 0 }
        if let nanoseconds = number(in: folder + "/cpuacct.usage") { return nanoseconds / 1e9 }
        let lines = (try? String(contentsOfFile: folder + "/cpu.stat", encoding: .utf8)) ?? ""
        let words = lines.split(separator: "\n").first { $0.hasPrefix("usage_usec ") }
        return words.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }
            .map { $0 / 1e6 } ?? 0
    }

    /// Begins to look for a new peak.
    func forgetPeak() {
        guard let folder = folder(.memory) else { return }
        // SAFETY: plain files of the kernel; a version that cannot forget keeps the older peak.
        try? Data("0".utf8).write(to: URL(filePath: folder + "/memory.max_usage_in_bytes"))
    }

    /// The most bytes that were charged at once since then: processes, files in memory and cached
    /// files. Nil where the kernel does not tell.
    var peakBytes: UInt64? {
        let names = ["memory.max_usage_in_bytes", "memory.peak"]
        return folder(.memory).flatMap { folder in
            names.lazy.compactMap { Self.number(in: folder + "/" + $0) }.first.map { UInt64($0) }
        }
    }

    private func folder(_ controller: Controller) -> String? {
        folders.first { $0.controller == controller }?.path
    }

    private static func number(in file: String) -> Double? {
        (try? String(contentsOfFile: file, encoding: .utf8))
            .flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
}

/// Peaks of the resident memory of Godwit's own processes on one host.
struct ResidentPeaks {
    let node: LabNode

    /// Lets the kernel begin a new peak for every process of the host.
    func forget() {
        for pid in pids(below: node.path("/proc")) {
            try? Data("5".utf8).write(to: URL(filePath: node.path("/proc/\(pid)/clear_refs")))
        }
    }

    /// The largest `VmHWM` in bytes of the processes whose second word is given: `daemon`,
    /// `monitor`. Nil if there is none.
    func peak(of kind: String) -> UInt64? {
        pids(below: node.path("/proc")).filter { pid in
            commandLine(of: pid, proc: node.path("/proc")).dropFirst().first == kind
        }.compactMap(peak).max()
    }

    private func peak(of pid: Int32) -> UInt64? {
        let file = node.path("/proc/\(pid)/status")
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
            .flatMap { $0.split(whereSeparator: \.isWhitespace).dropFirst().first }
            .flatMap { UInt64($0) }.map { $0 * 1024 }
    }
}
