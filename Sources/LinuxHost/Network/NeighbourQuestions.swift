import CLinux
import Foundation
import MigrationCore

/// How often an instance's kernel asks for a neighbour that it does not know.
///
/// By default once a second. An instance that is restored where nothing reaches it yet asks in
/// vain, and what it has to say waits for the next question, for up to a second after all is well.
package enum NeighbourQuestions {
    /// Has it ask every 10 ms (the kernel's least), and for 10 s. For the time until the instance
    /// is connected; must come before its interface has addresses.
    ///
    /// - Parameter pid: a process in the instance's network namespace.
    package static func hurry(_ interface: String, of pid: Int32) throws {
        for folder in folders(with: interface, pid) {
            try write("10", "\(folder)/\(interface)/\(interval)", pid)
            try write(manyTimes, "\(folder)/\(interface)/\(times)", pid)
        }
    }

    /// Undoes `hurry`, and nothing else.
    package static func calm(_ interface: String, of pid: Int32) throws {
        for folder in folders(with: interface, pid)
        where read("\(folder)/\(interface)/\(times)", pid) == manyTimes {
            // Every interface begins with the same; a namespace shows no `default`.
            for name in [interval, times] {
                guard let usual = read("\(folder)/lo/\(name)", pid) else { continue }
                try write(usual, "\(folder)/\(interface)/\(name)", pid)
            }
        }
    }

    private static let interval = "retrans_time_ms"
    private static let times = "mcast_solicit"
    /// Tells a hurried interface: the kernel rounds the interval to its ticks.
    private static let manyTimes = "1000"

    /// The folders of the address families that the kernel and the interface have.
    private static func folders(with interface: String, _ pid: Int32) -> [String] {
        guard !interface.contains("/") else { return [] }
        return ["/proc/sys/net/ipv4/neigh", "/proc/sys/net/ipv6/neigh"]
            .filter { read("\($0)/\(interface)/\(times)", pid) != nil }
    }

    private static func write(_ text: String, _ path: String, _ pid: Int32) throws {
        let number = unsafe godwit_open_in_network_of(pid, path, O_WRONLY)
        guard number >= 0 else { throw GodwitError.kernel("open \(path)", code: -number) }
        try Descriptor(taking: number).write(Array(text.utf8)[...])
    }

    private static func read(_ path: String, _ pid: Int32) -> String? {
        let number = unsafe godwit_open_in_network_of(pid, path, O_RDONLY)
        guard number >= 0 else { return nil }
        let bytes = try? Descriptor(taking: number).read(upTo: 64)
        return bytes.map { String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .newlines) }
    }
}
