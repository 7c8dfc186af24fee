import API
import ArgumentParser
import Foundation
import MigrationCore

/// How the daemon is reached.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The daemon's socket (also from GODWIT_SOCKET).", valueName: "path"),
        completion: .file())
    var socket: String = defaultSocket

    var client: HostClient { HostClient(socketPath: socket) }
}

/// How the answer is written.
struct FormatOptions: ParsableArguments {
    enum Format: String, CaseIterable, ExpressibleByArgument { case table, json }

    @Option(help: "table is for people, json for programs; both say the same.")
    var format = Format.table

    func say<Value: Encodable>(_ value: Value, as text: (Value) -> String) throws {
        switch format {
        case .table: Output.say(text(value))
        case .json: try Output.say(json: value)
        }
    }
}

let defaultSocket =
    ProcessInfo.processInfo.environment["GODWIT_SOCKET"] ?? "/run/godwit/godwit.socket"

/// Reads a name, so that a wrong one is told with the rule it breaks.
enum Read {
    @Sendable static func instance(_ text: String) throws -> InstanceName {
        try told { try InstanceName(text) }
    }

    @Sendable static func image(_ text: String) throws -> ImageName {
        try told { try ImageName(text) }
    }

    @Sendable static func remote(_ text: String) throws -> RemoteName {
        try told { try RemoteName(text.hasSuffix(":") ? String(text.dropLast()) : text) }
    }

    @Sendable static func migration(_ text: String) throws -> MigrationID {
        try told { try MigrationID(text) }
    }

    @Sendable static func size(_ text: String) throws -> ByteCount {
        try told { try parseSize(text) }
    }

    @Sendable static func processors(_ text: String) throws -> ProcessorSet {
        try told { try ProcessorSet(parsing: text) }
    }

    @Sendable static func bandwidth(_ text: String) throws -> Bandwidth {
        Bandwidth(limit: text == "unlimited" ? nil : try size(text))
    }

    @Sendable static func snapshot(_ text: String) throws -> SnapshotName {
        try told { try SnapshotName(text) }
    }

    @Sendable static func snapshotPath(_ text: String) throws -> SnapshotPath {
        try told { try SnapshotPath(text) }
    }

    @Sendable static func volume(_ text: String) throws -> VolumeReference {
        try told { try VolumeReference(text) }
    }

    /// For how long traffic is forwarded.
    @Sendable static func duration(_ text: String) throws -> UInt32 {
        try seconds(text, atMost: Limit.forwardSeconds, "30 days")
    }

    /// After how long a snapshot expires.
    @Sendable static func expiry(_ text: String) throws -> UInt32 {
        try seconds(text, atMost: Limit.snapshotSeconds, "ten years")
    }

    @Sendable static func expiration(_ text: String) throws -> Keeping {
        Keeping(seconds: text == "never" ? nil : try expiry(text))
    }

    @Sendable static func times(_ text: String) throws -> ScheduledTimes {
        ScheduledTimes(times: text == "none" ? nil : try told { try CronTimes(text) })
    }

    /// For how long a copy is kept.
    @Sendable static func keeping(_ text: String) throws -> KeptTime {
        KeptTime(
            seconds: text == "none"
                ? nil : try seconds(text, atMost: Limit.keptSeconds, "a year"))
    }

    /// Seconds, or a number with `s`, `m`, `h` or `d`.
    private static func seconds(
        _ text: String, atMost limit: UInt32, _ words: String
    ) throws -> UInt32 {
        let units: [Character: UInt32] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        let unit = text.last.flatMap { units[$0] }
        let number = UInt32(unit == nil ? text : String(text.dropLast()))
        let (seconds, isTooMuch) = (number ?? 0).multipliedReportingOverflow(by: unit ?? 1)
        guard !isTooMuch, 1...limit ~= seconds else {
            throw ValidationError("write a time such as 600, 10m, 2h or 7d; at most \(words)")
        }
        return seconds
    }

    static func told<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as GodwitError {
            let remedy = error.remedy.map { "; \($0)" } ?? ""
            throw ValidationError("\(error.message)\(remedy)")
        }
    }
}

/// Bytes a second at most; nil for no limit.
struct Bandwidth: Sendable {
    let limit: ByteCount?
}

/// For how long a snapshot is kept; nil for ever.
struct Keeping: Sendable {
    let seconds: UInt32?
}

/// When snapshots are taken; nil for never.
struct ScheduledTimes: Sendable {
    let times: CronTimes?
}

/// For how long a copy is kept; nil for not at all.
struct KeptTime: Sendable, CustomStringConvertible {
    let seconds: UInt32?

    /// As a person writes it.
    var description: String { seconds.map(durationText) ?? "none" }
}

/// What the shell offers for the names that this host knows.
enum Completion {
    static let instances = CompletionKind.custom { words, _, _ async -> [String] in
        let instances = try? await client(in: words).instances()
        return (instances ?? []).map(\.definition.name.text)
    }

    static let remotes = CompletionKind.custom { words, _, _ async -> [String] in
        let remotes = try? await client(in: words).remotes()
        return (remotes ?? []).map { "\($0.name):" }
    }

    private static func client(in words: [String]) -> HostClient {
        let index = words.firstIndex(of: "--socket").map { $0 + 1 }
        let path = index.flatMap { $0 < words.count ? words[$0] : nil }
        return HostClient(socketPath: path ?? defaultSocket)
    }
}
