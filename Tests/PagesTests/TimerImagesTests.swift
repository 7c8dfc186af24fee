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
            let expiry = TimerImages.Expiry(Substring(line)) { number in
                ProcessStatus("Tgid:\t1006\nNSpid:\t\(number)\t\(number - 1000)\n")
            }
            let armed = try TimerImages.arm([#require(expiry)], in: directory)
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
        for line in ["", "1 2 3", "1 2 3 x", "1 2 3 4 5 6"] {
            #expect(TimerImages.Expiry(Substring(line)) { _ in ProcessStatus("") } == nil)
        }
        #expect(TimerImages.Expiry(Substring(Self.expiredReal)) { _ in nil } == nil)
    }
}
