import CLinux
import Foundation
import MigrationCore

/// How often an instance's kernel asks for a neighbour that it does not know.
///
/// By default once a second. An instance that is restored where nothing reaches it yet asks in vain,
/// and what it has to say waits for the next question, for up to a second after all is well.
package enum NeighbourQuestions {
    /// Has it ask every 10 ms (the kernel's least), and for 10 s. For the time until the instance is
    /// connected; must come before its interface has addresses.
    ///
    /// - Parameter pid: a process in the instance's network namespace.
    package static func hurry(_ interface: String, of pid: Int32) throws {
        for file in files(interface, pid) { try file.write(file.hurried) }
    }

    /// Undoes `hurry`, and nothing else.
    package static func calm(_ interface: String, of pid: Int32) throws {
        for file in files(interface, pid) where file.value == file.hurried {
            guard let usual = file.usual else { continue }
            try file.write(usual)
        }
    }

    private static func files(_ interface: String, _ pid: Int32) -> [File] {
        // A name with a slash or a dot that leads elsewhere is no interface's.
        guard !interface.contains("/"), interface != ".." else { return [] }
        return ["ipv4", "ipv6"].flatMap { version in
            let folder = "/proc/sys/net/\(version)/neigh"
            return [("retrans_time_ms", "10"), ("mcast_solicit", "1000")].map { name, hurried in
                File(
                    path: "\(folder)/\(interface)/\(name)",
                    usualPath: "\(folder)/default/\(name)", hurried: hurried, pid: pid)
            }
        }
        .filter { $0.value != nil }
    }

    private struct File {
        let path: String
        let usualPath: String
        let hurried: String
        let pid: Int32

        /// Nil where the kernel has no such file (no IPv6, no such interface).
        var value: String? { read(path) }
        var usual: String? { read(usualPath) }

        func write(_ text: String) throws {
            let number = unsafe godwit_open_in_network_of(pid, path, O_WRONLY)
            guard number >= 0 else { throw GodwitError.kernel("open \(path)", code: -number) }
            try Descriptor(taking: number).write(Array(text.utf8)[...])
        }

        private func read(_ path: String) -> String? {
            let number = unsafe godwit_open_in_network_of(pid, path, O_RDONLY)
            guard number >= 0 else { return nil }
            let bytes = try? Descriptor(taking: number).read(upTo: 64)
            return bytes.map {
                String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .newlines)
            }
        }
    }
}
