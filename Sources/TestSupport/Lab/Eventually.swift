import Foundation
import MigrationCore

/// Asks again until the condition holds: how tests and the lab wait for what other processes do.
///
/// - Parameter log: a file whose end goes into the error.
/// - Throws: `timedOut` when it has not held within `seconds`, and whatever the condition throws.
package func eventually(
    _ what: String, within seconds: Double = 20, log: String? = nil,
    _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(seconds)
    while try await !condition() {
        guard clock.now < deadline else {
            throw GodwitError(
                .timedOut, "it did not come about within \(seconds) s that \(what)",
                cause: log.map(tail(of:))
            )
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
