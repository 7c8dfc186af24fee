import Foundation
import Hummingbird
import HummingbirdCore
import MigrationCore

/// The paths that are websockets: events, and the streams of an `exec`.
struct WebSocketRoutes: Sendable {
    typealias Conversation =
        @Sendable (WebSocketReader, WebSocketWriter) async throws -> Void

    let operations: Operations
    let events: EventHub

    /// What will be said on the websocket that is asked for.
    ///
    /// - Throws: `notFound`, `badRequest` or `notPermitted`, before anything is answered.
    func conversation(for uri: String) async throws -> Conversation {
        let uri = URI(uri)
        let words = uri.path.split(separator: "/").map(String.init)
        if words == ["1.0", "events"] { return try eventConversation(uri) }
        guard words.count == 4, words[0] == "1.0", words[1] == "operations", words[3] == "websocket"
        else {
            throw GodwitError(
                .notFound, "there is no websocket at \(uri.path.prefix(200))",
                remedy: "use /1.0/events or /1.0/operations/ID/websocket?secret=SECRET")
        }
        return try await execConversation(words[2], uri)
    }

    private func execConversation(_ id: String, _ uri: URI) async throws -> Conversation {
        guard let session = try operations.execSession(id) else {
            throw GodwitError(
                .notFound, "the operation \(id) has no websockets (any more)",
                remedy: "connect while an exec runs")
        }
        let secret = uri.queryParameters.get("secret") ?? ""
        let channel = try await session.claim(secret)
        return { reader, writer in await session.serve(channel, reader, writer) }
    }

    private func eventConversation(_ uri: URI) throws -> Conversation {
        let kinds = try eventKinds(uri.queryParameters.get("type"))
        let stream = events.subscribe(to: kinds)
        return { reader, writer in
            await withTaskGroup { group in
                group.addTask {
                    // What a client says here does not matter, only that it is there.
                    do { for try await _ in reader {} } catch {}
                }
                group.addTask {
                    do {
                        for await event in stream {
                            let text = String(decoding: try JSON.encode(event), as: UTF8.self)
                            try await writer.send(text: text)
                        }
                    } catch {
                        // The client has gone.
                    }
                }
                await group.next()
                group.cancelAll()
            }
        }
    }
}

/// - Parameter text: kinds with commas between; nil is all of them.
private func eventKinds(_ text: String?) throws -> Set<Event.Kind> {
    guard let text else { return Set(Event.Kind.allCases) }
    let kinds = try text.split(separator: ",").map { word in
        guard let kind = Event.Kind(rawValue: String(word)) else {
            throw GodwitError(
                .badRequest, "\"\(word.prefix(80))\" is no type of event",
                remedy: "use \(Event.Kind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return kind
    }
    return Set(kinds)
}
