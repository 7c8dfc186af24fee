import Foundation
package import LinuxHost
import MigrationCore

/// CRIU's `core-ID.img` of a process or thread: among much else its timers and waiting signals.
///
///     magic u32 · magic u32 · size u32 · message
///     { 3 process { 7 timers { 1 real, 4 POSIX }, 10 signals }, 5 thread { 9 signals } }
///
/// CRIU 4.2 takes the signals that wait for a process, then puts its code into it (6 to 10 ms), and
/// then reads its timers (`dump_one_task` in its cr-dump.c). One that runs out in between has sent
/// no signal yet for the former and is over for the latter: the program that waits for it would
/// wait forever.
package enum TimerImages {
    /// Has CRIU restore timers that have run out so that they do so at once, unless the images tell
    /// of it.
    ///
    /// - Parameters:
    ///   - lines: of the file that `Criu.noting` names, `THREAD SIGNAL CODE TIMER` or `timerfd
    ///     PLACE` each.
    ///   - status: of a thread, by the number that it has here; nil if it has ended.
    /// - Returns: how many it has armed.
    /// - Throws: `checkpointFailed` for what CRIU does not write.
    @discardableResult
    package static func arm(
        _ lines: [Substring], in directory: String, status: (Int32) -> ProcessStatus?
    ) throws -> Int {
        let places = lines.compactMap { line in
            line.hasPrefix("timerfd ") ? Int(line.dropFirst("timerfd ".count)) : nil
        }
        return try arm(lines.compactMap { Expiry($0, status: status) }, in: directory)
            + (places.isEmpty ? 0 : TimerfdImage.arm(Set(places), in: directory))
    }

    private static func arm(_ expiries: [Expiry], in directory: String) throws -> Int {
        var images: [TaskID: TimerImage] = [:]
        func image(_ task: TaskID) throws -> TimerImage {
            if let image = images[task] { return image }
            let image = try TimerImage(path: "\(directory)/core-\(task.number).img")
            images[task] = image
            return image
        }
        var armed = 0
        for expiry in expiries {
            var process = try image(expiry.process)
            guard !process.signals.contains(expiry.signal),
                try !image(expiry.thread).signals.contains(expiry.signal),
                try process.arm(expiry.signal)
            else { continue }
            try process.write()
            images[expiry.process] = process
            armed += 1
        }
        return armed
    }
}

/// A signal that a timer has sent to a thread.
private struct Expiry {
    /// The numbers that CRIU knows them by.
    let process: TaskID
    let thread: TaskID
    let signal: TimerSignal

    init?(_ line: Substring, status: (Int32) -> ProcessStatus?) {
        let numbers = line.split(separator: " ").compactMap { Int32($0) }
        guard numbers.count == 4, let thread = status(numbers[0]),
            let process = status(thread.process), let inner = thread.pids.last,
            let innerProcess = process.pids.last
        else { return nil }
        self.process = TaskID(innerProcess)
        self.thread = TaskID(inner)
        signal = TimerSignal(number: numbers[1], code: numbers[2], timer: numbers[3])
    }
}

/// As siginfo_t (sigaction(2)) has it.
private struct TimerSignal: Hashable, Sendable {
    let number: Int32
    let code: Int32
    /// Of a POSIX timer; 0 for setitimer(2).
    let timer: Int32

    var isPOSIX: Bool { code == SI_TIMER }
}

extension TimerSignal {
    /// - Parameter bytes: a siginfo_t.
    init(_ bytes: ArraySlice<UInt8>) {
        func word(_ at: Int) -> Int32 {
            let word = bytes.dropFirst(at).prefix(4).reversed()
            return Int32(bitPattern: word.reduce(0) { $0 << 8 | UInt32($1) })
        }
        (number, code) = (word(0), word(8))
        timer = word(8) == SI_TIMER ? word(16) : 0
    }
}

private struct TimerImage {
    private let path: String
    private var bytes: [UInt8]
    /// Those that wait.
    private(set) var signals: Set<TimerSignal> = []

    init(path: String) throws {
        self.path = path
        bytes = try SmallFile.bytes(path)
        let magic: [UInt8] = [0x19, 0x43, 0x56, 0x54, 0x47, 0x38, 0x05, 0x55]
        let size = bytes.dropFirst(8).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard bytes.starts(with: magic), bytes.count == 12 + size else { throw unknown() }
        let queues = try messages([3, 10]) + messages([5, 9])
        signals = Set(try queues.flatMap { try messages([1, 1], in: $0) }.map { TimerSignal($0) })
    }

    func write() throws {
        // In place: the file keeps its mode.
        try Data(bytes).write(to: URL(filePath: path))
    }

    /// CRIU arms one with an interval by itself, when the interval is over again.
    ///
    /// - Returns: whether the timer was over, and not to come again.
    mutating func arm(_ signal: TimerSignal) throws -> Bool {
        for timer in try messages([3, 7, signal.isPOSIX ? 4 : 1]) {
            guard let fields = CriuMessage.numbers(of: timer) else { throw unknown() }
            if signal.isPOSIX, fields[1]?.value != UInt64(UInt32(bitPattern: signal.timer)) {
                continue
            }
            // Seconds and parts of the interval and of what is left.
            let times = (signal.isPOSIX ? 7...10 : 1...4).map { fields[$0] }
            guard times.allSatisfy({ $0?.value == 0 }), let left = times[3] else { continue }
            // The least time that there is: a varint of one byte, as 0 was.
            bytes[left.at] = 1
            return true
        }
        return false
    }

    private func messages(
        _ path: [UInt64], in message: ArraySlice<UInt8>? = nil
    ) throws -> [ArraySlice<UInt8>] {
        guard let fields = CriuMessage.fields(of: message ?? bytes[12...]) else { throw unknown() }
        let found = fields.compactMap { field -> ArraySlice<UInt8>? in
            guard case .message(path[0], let body) = field else { return nil }
            return body
        }
        let rest = Array(path.dropFirst())
        return rest.isEmpty ? found : try found.flatMap { try messages(rest, in: $0) }
    }

    private func unknown() -> GodwitError { .unknownImage(path) }
}
