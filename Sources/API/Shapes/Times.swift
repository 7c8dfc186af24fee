import Foundation
import MigrationCore

/// RFC 3339 in UTC with milliseconds, the API's spelling of moments.
func rfc3339(_ moment: Timestamp) -> String {
    // It cuts off what is less than a millisecond, and with it one that a double falls short of.
    Date(timeIntervalSince1970: (Double(moment.milliseconds) + 0.5) / 1000)
        .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}

func rfc3339Now() -> String {
    Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}

/// Reads what `rfc3339` writes, also without milliseconds.
///
/// - Throws: `badRequest`; years from 1970 to 9999 are read.
func timestamp(_ text: String) throws -> Timestamp {
    let styles = [true, false].map { Date.ISO8601FormatStyle(includingFractionalSeconds: $0) }
    for style in styles {
        guard text.utf8.count <= 40, let date = try? style.parse(text) else { continue }
        let seconds = date.timeIntervalSince1970
        guard seconds >= 0, seconds < 253_402_300_800 else { continue }
        return Timestamp(milliseconds: Int64((seconds * 1000).rounded()))
    }
    throw GodwitError(
        .badRequest, "\"\(text.prefix(80))\" is no moment",
        remedy: "write it as RFC 3339 in UTC, such as 2026-11-27T10:00:00Z")
}
