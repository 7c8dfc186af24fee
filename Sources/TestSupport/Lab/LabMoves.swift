import Foundation
import LinuxHost
package import MigrationCore

extension Lab {
    /// Lets hosts a and b trust each other, with one token.
    package func introduce() async throws {
        let said = try await check("b", ["trust", "add", "host-a"])
        guard let token = said.split(whereSeparator: \.isWhitespace).last else {
            throw GodwitError(.tokenRejected, "host b printed no token")
        }
        try await check("a", ["remote", "add", "host-b", String(token)])
    }

    /// The newest report of the instance that the host has; nil if it knows none.
    ///
    /// - Throws: what does not read as reports.
    package func newestReport(of instance: String, on host: String) async throws
        -> MigrationReport?
    {
        let result = try await godwit(host, ["migrations", instance, "--format", "json"])
        guard result.status.isSuccess else { return nil }
        let reports = try JSONDecoder().decode([MigrationReport].self, from: Data(result.text.utf8))
        return reports.max { $0.started < $1.started }
    }

    /// Moves the instance from one host to the other and returns the report of it.
    ///
    /// - Throws: `toolFailed` if it is not there now.
    package func move(
        _ instance: String, from source: String, to target: String, _ options: [String] = []
    ) async throws -> MigrationReport {
        try await check(source, ["move", instance, "host-\(target):"] + options)
        guard let report = try await newestReport(of: instance, on: source) else {
            throw GodwitError(.notFound, "host \(source) has no report of the move")
        }
        return report
    }
}
