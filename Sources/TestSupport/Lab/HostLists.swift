import Foundation
import LinuxHost

/// All that a host has and that a move could leave behind, by kind: two of them, before and after
/// many moves, must be equal.
package struct HostLists: Equatable, Sendable {
    /// Lines by the list's name. Numbers that differ between two equal things are left out.
    package let lists: [String: [String]]

    package init(_ lists: [String: [String]]) {
        self.lists = lists.mapValues { $0.map(withoutNumbers).sorted() }
    }

    /// What is here and was not in `earlier`, or the other way round; a line as often as it is so.
    package func differences(since earlier: HostLists, host: String) -> [ListDifference] {
        Set(lists.keys).union(earlier.lists.keys).sorted().compactMap { name in
            let (before, after) = (earlier.lists[name] ?? [], lists[name] ?? [])
            let come = surplus(of: after, over: before)
            let gone = surplus(of: before, over: after)
            guard !come.isEmpty || !gone.isEmpty else { return nil }
            return ListDifference(host: host, list: name, come: come, gone: gone)
        }
    }
}

/// How one list of a host has changed.
package struct ListDifference: Codable, Equatable, Sendable {
    package var host: String
    package var list: String
    package var come: [String]
    package var gone: [String]

    package init(host: String, list: String, come: [String], gone: [String]) {
        (self.host, self.list, self.come, self.gone) = (host, list, come, gone)
    }

    package var text: String {
        (["host \(host), \(list):"] + come.map { "  + " + $0 } + gone.map { "  - " + $0 })
            .joined(separator: "\n")
    }
}

private func surplus(of lines: [String], over others: [String]) -> [String] {
    var rest = Dictionary(others.map { ($0, 1) }, uniquingKeysWith: +)
    return lines.filter { line in
        guard let count = rest[line], count > 0 else { return true }
        rest[line] = count - 1
        return false
    }
}

/// Runs of five digits and more (pids, inodes, handles) and of sixteen hexadecimal ones (ids)
/// become `#`; addresses, ports and names stay.
private func withoutNumbers(_ line: String) -> String {
    var result = ""
    var word = ""
    for character in line + "\n" {
        if character.isHexDigit || (character == "-" && !word.isEmpty) {
            word.append(character)
            continue
        }
        let isNumber = word.count >= 5 && word.allSatisfy(\.isNumber)
        result += isNumber || word.count >= 16 ? "#" : word
        word = ""
        result.append(character)
    }
    return String(result.dropLast())
}

extension Lab {
    /// What the host has now. Asks tools for rules, routes and neighbours, which changes nothing.
    package func lists(of host: String) async throws -> HostLists {
        let node = self.host(host)
        var lists = [
            "mounts": mounts(of: node), "processes": processes(of: node),
            "interfaces": interfaces(of: node), "namespaces": namespaces(of: node),
            "cgroups": LabCgroups.find(prefix: cgroupParent(of: host)),
            "files": files(of: node), "descriptors": descriptors(ofDaemonOn: host),
        ]
        for (name, words) in LabCommands.networkLists {
            let result = try await node.run(words)
            lists[name] = result.text.split(separator: "\n").map(String.init)
        }
        lists["neighbours"] = lists["neighbours"]?.map(withoutState)
        return HostLists(lists)
    }

    /// `10.77.0.2 dev gwbr0 lladdr 02:… STALE`: the state is a matter of time.
    private func withoutState(_ neighbour: String) -> String {
        let isKept = ["PERMANENT", "NOARP"].contains { neighbour.hasSuffix($0) }
        let words = neighbour.split(separator: " ").prefix(3)
        return words.joined(separator: " ") + (isKept ? " kept" : "")
    }

    /// Each that has a process, by its first process.
    private func namespaces(of node: LabNode) -> [String] {
        let proc = node.path("/proc")
        var seen: Set<String> = []
        return pids(below: proc).flatMap { pid -> [String] in
            let folder = "\(proc)/\(pid)/ns"
            let kinds = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            let name = commandLine(of: pid, proc: proc).first ?? "?"
            return kinds.sorted().compactMap { kind in
                let place = try? FileManager.default.destinationOfSymbolicLink(
                    atPath: folder + "/" + kind)
                guard let place, seen.insert(place).inserted else { return nil }
                return "\(kind.split(separator: "_").first ?? "?") of \(name)"
            }
        }
    }

    /// Below the state and run directories, without what an instance itself keeps.
    private func files(of node: LabNode) -> [String] {
        [Self.stateDirectory, "/run"].flatMap { top -> [String] in
            let walk = FileManager.default.enumerator(atPath: node.path(top))
            var found: [String] = []
            while let path = walk?.nextObject() as? String {
                found.append(top + "/" + path)
                let words = path.split(separator: "/")
                let isVolume = words.count > 2 && words[words.count - 2] == "volumes"
                if isVolume || words.last == "rootfs" { walk?.skipDescendants() }
            }
            return found.filter { $0 != MoveLab.moverFile }
        }
    }

    /// What the daemon has open.
    private func descriptors(ofDaemonOn host: String) -> [String] {
        guard let pid = daemonPid(on: host) else { return ["no daemon"] }
        let folder = self.host(host).path("/proc/\(pid)/fd")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.compactMap { name in
            let place = try? FileManager.default.destinationOfSymbolicLink(
                atPath: folder + "/" + name)
            guard let place else { return nil }
            let isNumbered = ["socket:", "pipe:", "net:", "mnt:", "user:"].contains {
                place.hasPrefix($0)
            }
            return isNumbered ? String(place.prefix { $0 != ":" }) : place
        }
    }
}
