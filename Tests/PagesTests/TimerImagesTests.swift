import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport
import Testing

@Suite struct TimerImagesTests {
    /// A timer of setitimer(2): interval and what is left, in seconds and parts.
    private static func timer(_ times: [UInt8]) -> [UInt8] {
        zip(UInt8(1)..., times).flatMap { [$0 << 3, $1] }
    }

    /// A POSIX timer that sends signal 34.
    private static func timer(id: UInt8, _ times: [UInt8]) -> [UInt8] {
        let fields = [id, 1, 34, 0, 0, 0] + times
        return zip(UInt8(1)..., fields).flatMap { [$0 << 3, $1] }
    }

    private static func signal(_ number: UInt8, code: Int8, timer: UInt8 = 0) -> [UInt8] {
        let sign: [UInt8] = code < 0 ? [255, 255, 255] : [0, 0, 0]
        let start: [UInt8] = [number, 0, 0, 0, 0, 0, 0, 0, UInt8(bitPattern: code)] + sign
        return start + [0, 0, 0, 0, timer, 0, 0, 0]
    }

    private static func message(_ field: UInt8, _ body: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        length.append(varint: UInt64(body.count))
        return [field << 3 | 2] + length + body
    }

    private static func image(
        real: [UInt8] = timer([0, 0, 0, 0]), posix: [[UInt8]] = [], waiting: [[UInt8]] = [],
        waitingForThread: [[UInt8]] = []
    ) -> [UInt8] {
        func queue(_ signals: [[UInt8]]) -> [UInt8] {
            signals.flatMap { message(1, message(1, $0)) }
        }
        let none = timer([0, 0, 0, 0])
        let timers =
            message(1, real) + message(2, none) + message(3, none)
            + posix.flatMap { message(4, $0) }
        let process = message(6, Array("web".utf8)) + message(7, timers)
        let body =
            [0x08, 1] + message(3, process + message(10, queue(waiting)))
            + message(5, message(9, queue(waitingForThread)))
        return [0x19, 0x43, 0x56, 0x54, 0x47, 0x38, 0x05, 0x55]
            + [UInt8(body.count % 256), UInt8(body.count / 256), 0, 0] + body
    }

    private static let expiredReal = "1007 14 128 0"
    private static let expiredPOSIX = "1007 34 -2 5"

    /// Images of process 6 and its thread 7, afterwards.
    private func arm(
        _ line: String, _ process: [UInt8], thread: [UInt8] = image()
    ) throws -> (armed: Int, process: [UInt8]) {
        try inDirectory { directory in
            let path = "\(directory)/core-6.img"
            try Data(process).write(to: URL(filePath: path))
            try Data(thread).write(to: URL(filePath: "\(directory)/core-7.img"))
            let armed = try TimerImages.arm([Substring(line)], in: directory) { number in
                ProcessStatus("Tgid:\t1006\nNSpid:\t\(number)\t\(number - 1000)\n")
            }
            return (armed, try SmallFile.bytes(path))
        }
    }

    @Test func `a timer that ran out while it was dumped runs out again`() throws {
        let real = try arm(Self.expiredReal, Self.image())
        #expect(real.armed == 1)
        #expect(real.process == Self.image(real: Self.timer([0, 0, 0, 1])))
        let others = [Self.timer(id: 4, [0, 0, 0, 0]), Self.timer(id: 6, [0, 0, 0, 0])]
        let posix = try arm(
            Self.expiredPOSIX,
            Self.image(
                posix: others + [Self.timer(id: 5, [0, 0, 0, 0])],
                waiting: [Self.signal(34, code: -2, timer: 4)]))
        #expect(posix.armed == 1)
        #expect(
            posix.process
                == Self.image(
                    posix: others + [Self.timer(id: 5, [0, 0, 0, 1])],
                    waiting: [Self.signal(34, code: -2, timer: 4)]))
    }

    @Test func `one whose signal is there, or that will come again, is left alone`() throws {
        let over = [Self.timer(id: 5, [0, 0, 0, 0])]
        let known = Self.signal(34, code: -2, timer: 5)
        let cases: [(String, process: [UInt8], thread: [UInt8])] = [
            (Self.expiredPOSIX, Self.image(posix: over, waiting: [known]), Self.image()),
            (Self.expiredPOSIX, Self.image(posix: over), Self.image(waitingForThread: [known])),
            (
                Self.expiredPOSIX, Self.image(posix: [Self.timer(id: 5, [1, 0, 0, 0])]),
                Self.image()
            ),
            (
                Self.expiredPOSIX, Self.image(posix: [Self.timer(id: 5, [0, 0, 0, 9])]),
                Self.image()
            ),
            (Self.expiredReal, Self.image(real: Self.timer([0, 3, 0, 0])), Self.image()),
            (Self.expiredReal, Self.image(real: Self.timer([0, 0, 0, 3])), Self.image()),
        ]
        for (line, process, thread) in cases {
            let result = try arm(line, process, thread: thread)
            #expect(result.armed == 0)
            #expect(result.process == process)
        }
    }

    @Test func `what CRIU does not write is refused or ignored, and stays as it is`() throws {
        let whole = Self.image()
        for length in 0..<whole.count {
            #expect(throws: GodwitError.self) {
                try arm(Self.expiredReal, Array(whole.prefix(length)))
            }
        }
        for line in ["", "1 2 3", "1 2 3 x", "1 2 3 4 5 6", "timerfd", "timerfd x"] {
            #expect(try arm(line, whole).armed == 0)
        }
        #expect(try TimerImages.arm([Substring(Self.expiredReal)], in: "/") { _ in nil } == 0)
    }

    private static func timerfd(ticks: UInt8 = 0, _ times: [UInt8] = [0, 0, 0, 0]) -> [UInt8] {
        let numbers = zip(UInt8(4)..., [1, ticks, 0] + times).flatMap { [$0 << 3, $1] }
        return [0x08, 17, 0x10, 3] + message(12, [0x08, 3, 0x10, 2] + message(3, []) + numbers)
    }

    private static func files(_ entries: [[UInt8]]) -> [UInt8] {
        [0x19, 0x43, 0x56, 0x54, 0x38, 0x31, 0x30, 0x56]
            + entries.flatMap { [UInt8($0.count), 0, 0, 0] + $0 }
    }

    private func arm(_ places: [Int], files: [UInt8]) throws -> (armed: Int, files: [UInt8]) {
        try inDirectory { directory in
            let path = "\(directory)/files.img"
            try Data(files).write(to: URL(filePath: path))
            let lines = places.map { Substring("timerfd \($0)") }
            let armed = try TimerImages.arm(lines, in: directory) { _ in nil }
            return (armed, try SmallFile.bytes(path))
        }
    }

    @Test func `a timerfd that was overdue when CRIU looked runs out again`() throws {
        let other: [UInt8] = [0x08, 1, 0x10, 2] + Self.message(3, [0x08, 2])
        let entries = [
            other, Self.timerfd(), other, Self.timerfd(ticks: 1), Self.timerfd([0, 9, 0, 0]),
            Self.timerfd([0, 0, 1, 0]), Self.timerfd(),
        ]
        var armed = entries
        armed[6] = Self.timerfd([0, 1, 0, 0])
        let result = try arm([1, 2, 3, 4, 9], files: Self.files(entries))
        #expect(result.armed == 1)
        #expect(result.files == Self.files(armed))
        #expect(try arm([], files: []).armed == 0)
        let whole = Self.files(entries.suffix(2))
        let ends = [8, 8 + 4 + entries[5].count]
        for length in 0..<whole.count where !ends.contains(length) {
            #expect(throws: GodwitError.self) { try arm([0], files: Array(whole.prefix(length))) }
        }
    }
}
