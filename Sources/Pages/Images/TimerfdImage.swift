import Foundation
import LinuxHost
import MigrationCore

/// CRIU's `files.img`: all open files of an instance.
///
///     magic u32 · magic u32 · { size u32 · message { 12 timerfd } } ...
///     timerfd { 5 ticks, 7 seconds and 8 nanoseconds left, 9 and 10 of the interval }
///
/// The kernel shows a timerfd that is overdue but whose interrupt has not come yet as one that was
/// never set (`timerfd_get_remaining` in its fs/timerfd.c), and so CRIU restores it.
enum TimerfdImage {
    /// Has CRIU restore timerfds so that they run out at once, if they were set to run out once and
    /// the image does not know of it.
    ///
    /// - Parameter places: among the timerfds of the image, from 0 on.
    /// - Returns: how many it has armed.
    static func arm(_ places: Set<Int>, in directory: String) throws -> Int {
        let path = "\(directory)/files.img"
        var bytes = try SmallFile.bytes(path)
        guard bytes.starts(with: magic) else { throw GodwitError.unknownImage(path) }
        var (at, place, armed) = (8, 0, 0)
        while at < bytes.count {
            let size = bytes[at...].prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            guard at + 4 + size <= bytes.count,
                let fields = CriuMessage.fields(of: bytes[at + 4..<at + 4 + size])
            else { throw GodwitError.unknownImage(path) }
            at += 4 + size
            for case .message(field: 12, let timer) in fields {
                guard let numbers = CriuMessage.numbers(of: timer), let rest = numbers[8] else {
                    throw GodwitError.unknownImage(path)
                }
                if places.contains(place), [5, 7, 8, 9, 10].allSatisfy({ numbers[$0]?.value == 0 })
                {
                    // A varint of one byte, as 0 was.
                    bytes[rest.at] = 1
                    armed += 1
                }
                place += 1
            }
        }
        if armed > 0 { try Data(bytes).write(to: URL(filePath: path)) }
        return armed
    }

    private static let magic: [UInt8] = [0x19, 0x43, 0x56, 0x54, 0x38, 0x31, 0x30, 0x56]
}

extension GodwitError {
    /// For an image of CRIU's.
    static func unknownImage(_ path: String) -> GodwitError {
        GodwitError(
            .checkpointFailed, "\(path) has another form than CRIU 4.2 gives it",
            remedy: "install CRIU 4.2, or a Godwit that knows the newer one")
    }
}
