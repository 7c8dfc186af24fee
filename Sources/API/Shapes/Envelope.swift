package import MigrationCore

/// What stands around every answer, as in the LXD and Incus API.
struct Envelope<Metadata: Codable & Sendable>: Codable, Sendable {
    enum Kind: String, Codable { case sync, async, error }

    var type: Kind
    var status = ""
    var statusCode = 0
    /// The path of the operation that an `async` answer has begun.
    var operation = ""
    var errorCode = 0
    var error = ""
    var metadata: Metadata

    enum CodingKeys: String, CodingKey {
        case type, status
        case statusCode = "status_code"
        case operation
        case errorCode = "error_code"
        case error, metadata
    }

    static func sync(_ metadata: Metadata) -> Envelope {
        Envelope(type: .sync, status: "Success", statusCode: 200, metadata: metadata)
    }
}

extension Envelope<OperationView> {
    static func created(_ operation: OperationView) -> Envelope {
        Envelope(
            type: .async, status: "Operation created", statusCode: 100,
            operation: operation.path, metadata: operation)
    }
}

extension Envelope<GodwitError> {
    static func failure(_ error: GodwitError, httpStatus: Int) -> Envelope {
        Envelope(type: .error, errorCode: httpStatus, error: error.message, metadata: error)
    }
}

/// The metadata of an answer that has nothing to say.
struct Nothing: Codable, Sendable {}

/// The status numbers of the LXD and Incus API.
package enum StatusCode {
    static let operationRunning = 103
    static let operationSucceeded = 200
    static let operationFailed = 400
    static let operationCancelled = 401

    /// - Returns: the number and the word for an instance's status.
    package static func of(_ status: InstanceStatus) -> (code: Int, word: String) {
        switch status {
        case .stopped: (102, "Stopped")
        case .running: (103, "Running")
        case .frozen: (110, "Frozen")
        case .error: (112, "Error")
        }
    }
}
