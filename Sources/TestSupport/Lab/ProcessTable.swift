import Foundation

/// A process that can be found again without ever meeting a stranger under the same number: its pid
/// and the moment it started, which hold until the next boot.
struct ProcessMark: Equatable {
    let pid: Int32
    let startTicks: UInt64
    let boot: String

    /// Nil if there is no such process.
    init?(pid: Int32) {
        guard let ticks = startTime(of: pid) else { return nil }
        self.pid = pid
        startTicks = ticks
        boot = bootID
    }

    /// Reads what `text` wrote; nil for anything else.
    init?(text: String) {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 3, let pid = Int32(words[0]), let ticks = UInt64(words[1]) else {
            return nil
        }
        self.pid = pid
        startTicks = ticks
        boot = String(words[2])
    }

    var text: String { "\(pid) \(startTicks) \(boot)\n" }
    var isAlive: Bool { boot == bootID && startTime(of: pid) == startTicks }
}

private let bootID: String =
    (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?
    .trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"

/// Field 22 of `/proc/PID/stat`; the name in field 2 may hold blanks and brackets. Nil for a
/// process that is gone or a zombie.
package func startTime(of pid: Int32, proc: String = "/proc") -> UInt64? {
    guard let stat = try? String(contentsOfFile: "\(proc)/\(pid)/stat", encoding: .utf8),
        let bracket = stat.lastIndex(of: ")")
    else { return nil }
    let fields = stat[stat.index(after: bracket)...].split(separator: " ")
    guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
    return UInt64(fields[19])
}

package func isAlive(_ pid: Int32) -> Bool { startTime(of: pid) != nil }

/// Every pid below a `/proc`, the node's or this machine's.
package func pids(below proc: String) -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: proc)) ?? []
    return names.compactMap(Int32.init).sorted()
}
