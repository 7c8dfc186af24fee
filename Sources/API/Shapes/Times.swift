import Foundation
import MigrationCore

/// RFC 3339 in UTC with milliseconds, the API's spelling of moments.
func rfc3339(_ moment: Timestamp) -> String {
    Date(timeIntervalSince1970: Double(moment.milliseconds) / 1000)
        .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}

func rfc3339Now() -> String {
    Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}
