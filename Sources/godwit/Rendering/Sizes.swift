import Foundation
package import MigrationCore

/// Reads `1048576`, `512KiB`, `100MiB`, `1.5GiB`, `2GB`, `64M` (as MiB); a `/s` may follow.
package func parseSize(_ text: String) throws -> ByteCount {
    let bare = text.hasSuffix("/s") ? String(text.dropLast(2)) : text
    let digits = bare.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = bare.dropFirst(digits.count).trimmingCharacters(in: .whitespaces)
    guard let number = Double(digits), let factor = sizeUnits[unit.lowercased()],
        number * factor >= 1, number * factor < 9e18
    else {
        throw GodwitError(
            .badRequest, "\"\(text.prefix(80))\" is not a size above 0",
            remedy: "write it like 512KiB, 100MiB, 1.5GiB or 2GB")
    }
    return ByteCount(bytes: UInt64(number * factor))
}

private let sizeUnits: [String: Double] = [
    "": 1, "b": 1, "k": 0x1p10, "kib": 0x1p10, "kb": 1e3, "m": 0x1p20, "mib": 0x1p20,
    "mb": 1e6, "g": 0x1p30, "gib": 0x1p30, "gb": 1e9, "t": 0x1p40, "tib": 0x1p40, "tb": 1e12,
]

/// `0 B`, `512 B`, `61.2 MiB`, `1.5 GiB`.
package func sizeText(_ size: ByteCount) -> String {
    guard size.bytes >= 1024 else { return "\(size.bytes) B" }
    var value = Double(size.bytes)
    var units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][...]
    var unit = ""
    repeat {
        value /= 1024
        unit = units.removeFirst()
    } while value >= 1023.95 && !units.isEmpty
    return "\(decimal(value, places: 1)) \(unit)"
}

/// `0.4 ms` below ten, `812 ms` below ten seconds, then `12.3 s` and `2 min 5 s`.
package func millisecondsText(_ milliseconds: Double) -> String {
    switch milliseconds {
    case ..<9.95: "\(decimal(milliseconds, places: 1)) ms"
    case ..<9_999.5: "\(decimal(milliseconds, places: 0)) ms"
    case ..<119_950: "\(decimal(milliseconds / 1000, places: 1)) s"
    default: minutesText(Int((milliseconds / 1000).rounded()))
    }
}

/// `45 s`, `2 min 5 s`, `1 h 3 min`.
package func minutesText(_ seconds: Int) -> String {
    switch seconds {
    case ..<120: "\(seconds) s"
    case ..<7_200: "\(seconds / 60) min \(seconds % 60) s"
    default: "\(seconds / 3600) h \(seconds % 3600 / 60) min"
    }
}

/// `2026-11-26 07:15:02` in UTC.
package func momentText(_ moment: Timestamp) -> String {
    let date = Date(timeIntervalSince1970: Double(moment.milliseconds) / 1000)
    return date.formatted(
        Date.ISO8601FormatStyle().year().month().day()
            .dateTimeSeparator(.space).time(includingFractionalSeconds: false))
}

/// With that many places after the point; a zero after it is left out.
package func decimal(_ value: Double, places: Int) -> String {
    guard value.isFinite else { return "?" }
    let scale = places == 0 ? 1.0 : 10.0
    let scaled = (value * scale).rounded()
    guard abs(scaled) < 9e15 else { return "?" }
    let whole = Int64(scaled) / Int64(scale)
    let rest = abs(Int64(scaled) % Int64(scale))
    return rest == 0 ? "\(whole)" : "\(whole).\(rest)"
}
