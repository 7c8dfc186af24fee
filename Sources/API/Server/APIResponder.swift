import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import MigrationCore
import NIOCore

/// What a route knows beside the request.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The trusted host that asks; nil for the local administrator.
    var peer: PeerIdentity?

    struct Source: RequestContextSource {
        let logger: Logger
        let peer: PeerIdentity?
    }

    init(source: Source) {
        coreContext = .init(source: source)
        peer = source.peer
    }
}

/// Turns requests into answers: finds the route, and gives every error its envelope.
struct APIResponder: Sendable {
    let control: any HostControl
    let operations: Operations
    let events: EventHub
    let logger: Logger
    private let routes: RouterResponder<APIContext>

    init(control: any HostControl, operations: Operations, events: EventHub, logger: Logger) {
        self.control = control
        self.operations = operations
        self.events = events
        self.logger = logger
        let router = Router(context: APIContext.self)
        router.add(middleware: ErrorEnvelopes())
        HostRoutes(control: control).add(to: router)
        ImageRoutes(control: control, operations: operations).add(to: router)
        InstanceRoutes(control: control, operations: operations, events: events).add(to: router)
        MoveRoutes(control: control, operations: operations, events: events).add(to: router)
        OperationRoutes(operations: operations).add(to: router)
        PoolRoutes(control: control).add(to: router)
        SnapshotRoutes(control: control, operations: operations, events: events).add(to: router)
        TrustRoutes(control: control).add(to: router)
        VolumeRoutes(control: control).add(to: router)
        routes = router.buildResponder()
    }

    func respond(to request: Request, peer: PeerIdentity?) async -> Response {
        let context = APIContext(source: APIContext.Source(logger: logger, peer: peer))
        var response: Response
        do {
            response = try await routes.respond(to: request, context: context)
        } catch {
            // The router itself; what routes throw has its envelope already.
            let failure = GodwitError(wrapping: error)
            response = .json(status: failure.code.httpStatus, errorBody(failure))
        }
        response.headers[.server] = "godwit"
        logger.debug(
            "request",
            metadata: [
                "method": "\(request.method)", "path": "\(request.uri.path)",
                "status": "\(response.status.code)", "peer": "\(peer?.name ?? "local")",
            ])
        return response
    }
}

extension Response {
    static func json(status: Int = 200, _ body: [UInt8]) -> Response {
        Response(
            status: .init(code: status), headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }

    @inline(never)
    static func sync(_ metadata: some Codable & Sendable) throws -> Response {
        .json(try JSON.encode(Envelope.sync(metadata)))
    }

    /// 202 with the operation that has begun, and its place in `Location`.
    @inline(never)
    static func created(_ operation: OperationView) throws -> Response {
        var response = Response.json(
            status: 202, try JSON.encode(Envelope.created(operation)))
        response.headers[.location] = operation.path
        return response
    }
}

extension Request {
    /// The body as JSON of one shape.
    ///
    /// - Throws: `badRequest` that names what was expected where, `limitExceeded`.
    func decoded<Value: Decodable>(_ type: Value.Type = Value.self) async throws -> Value {
        let buffer = try await body.collect(upTo: Int(Limit.requestBody.bytes))
        do {
            return try JSON.decode(type, from: Array(buffer: buffer))
        } catch let error as DecodingError {
            let isJSON = (try? JSON.decode(JSONValue.self, from: Array(buffer: buffer))) != nil
            throw GodwitError(malformed: error, isJSON: isJSON)
        }
    }
}

/// What the path names. Not inlined: compiler 6.3.1 crashes ("splitting coroutine") where these
/// stand in an asynchronous function.
extension APIContext {
    @inline(never)
    func instanceName() throws -> InstanceName { try InstanceName(parameters.require("name")) }

    @inline(never)
    func snapshotName() throws -> SnapshotName {
        try SnapshotName(parameters.require("snapshot"))
    }

    @inline(never)
    func remoteName() throws -> RemoteName { try RemoteName(parameters.require("name")) }

    @inline(never)
    func migrationID() throws -> MigrationID { try MigrationID(parameters.require("id")) }

    @inline(never)
    func operationID() throws -> String { try parameters.require("id") }
}

extension Request {
    /// Whether the query says `force=1`.
    @inline(never)
    var isForced: Bool { uri.queryParameters.get("force") == "1" }

    /// The instance that the query names, if it does.
    @inline(never)
    func instanceQuery() throws -> InstanceName? {
        try uri.queryParameters.get("instance").map { try InstanceName($0) }
    }
}

extension GodwitError {
    fileprivate init(malformed error: DecodingError, isJSON: Bool) {
        switch error {
        case .keyNotFound(let key, let context):
            self.init(
                .badRequest, "the body lacks \(place(context.codingPath + [key]))",
                remedy: "see docs/api.md for what this request takes")
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            self.init(
                .badRequest, "\(place(context.codingPath)) of the body is not \(wanted(type))",
                remedy: "see docs/api.md for what this request takes")
        case .dataCorrupted(let context):
            self.init(
                .badRequest,
                isJSON
                    ? "\(place(context.codingPath)) of the body is out of range"
                    : "the body is not JSON",
                remedy: "send one JSON object as docs/api.md shows it",
                cause: context.debugDescription)
        @unknown default: self.init(.badRequest, "the body is not what this request takes")
        }
    }
}

private func place(_ path: [any CodingKey]) -> String {
    path.isEmpty ? "the whole" : "`\(path.map(\.stringValue).joined(separator: "."))`"
}

private func wanted(_ type: any Any.Type) -> String {
    switch type {
    case is String.Type: "a string"
    case is Bool.Type: "true or false"
    case is any BinaryInteger.Type: "a whole number in range"
    case is any Collection.Type: "an array or object"
    default: "an object"
    }
}
