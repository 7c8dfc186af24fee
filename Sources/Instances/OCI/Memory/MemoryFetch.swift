import Foundation
import LinuxHost
import MigrationCore
import Pages
import Synchronization

/// The keeper's end of the streams on which pages come after the instance runs.
///
///     source ══ TLS ══ daemon ── `pages`, a socket ── keeper
///
/// A connection begins with one byte: the number of a channel, or `watches`. All connections end
/// when no page is left to come, or when the keeper dies.
final class MemoryFetch: Sendable {
    static let watches: UInt8 = 0xFF

    /// What has come of it, for the daemon to read once it has seen the connections end.
    struct Outcome: Codable, Equatable, Sendable {
        var fetch: MemoryReport.Fetch?
        var failure: GodwitError?
    }

    private let server: LazyPagesServer
    private let listener: LocalListener
    private let files: InstanceFiles
    private let owed: UInt64
    private let state = Mutex(State())

    private struct State {
        var isOver = false
        var watchers: [SocketStream] = []
        var channels: [PageFetcher.Channel: (SocketStream, Task<Void, Never>)] = [:]
    }

    init(_ server: LazyPagesServer, _ listener: LocalListener, _ files: InstanceFiles) {
        self.server = server
        self.listener = listener
        self.files = files
        owed = UInt64(clamping: server.owedPages)
    }

    /// Takes connections until `end`. Blocks a thread.
    func accept() {
        while let connection = try? listener.accept() {
            let stream = SocketStream(connection)
            let first = try? connection.read(upTo: 1).first
            let isOver = state.withLock { state in
                if first == Self.watches { state.watchers.append(stream) }
                return state.isOver
            }
            if isOver { return stream.end() }
            guard let channel = first.flatMap({ PageFetcher.Channel(rawValue: Int($0)) }) else {
                continue
            }
            serve(channel, over: stream)
        }
    }

    /// A task of its own: it goes on beside the wait for the next connection, and ends with the
    /// stream or with the next one of its channel.
    private func serve(_ channel: PageFetcher.Channel, over stream: SocketStream) {
        state.withLock { state in
            let older = state.channels[channel]
            let task = Task { [server] in
                older?.0.end()
                older?.1.cancel()
                await older?.1.value
                try? await server.fetcher.fetch(channel, over: stream)
                stream.end()
            }
            state.channels[channel] = (stream, task)
        }
    }

    /// Writes down what has come of it, then lets go of who waits.
    func end(_ report: LazyReport?, failure: GodwitError?) {
        let counts = server.fetcher.counts
        let fetch = report.map {
            MemoryReport.Fetch(
                owedPages: owed, pagesByFault: counts.pagesByFault,
                pagesInBackground: counts.pagesInBackground, stalls: counts.stalls,
                milliseconds: $0.milliseconds)
        }
        let outcome = Outcome(fetch: fetch, failure: failure)
        if let bytes = try? encodedJSON(outcome) {
            try? SmallFile.replace(files.fetched, with: bytes)
        }
        let streams = state.withLock { state in
            state.isOver = true
            return state.watchers + state.channels.values.map(\.0)
        }
        for stream in streams { stream.end() }
        // Wakes `accept`.
        if let last = try? files.connectToPages() { last.close() }
        listener.close()
    }
}
