package import MigrationCore

/// An asynchronous operation as the API shows it, in the shape of LXD and Incus.
package struct OperationView: Codable, Equatable, Sendable {
    package enum Class: String, Codable, Sendable { case task, websocket }

    package var id: String
    package var `class`: Class
    package var description: String
    /// RFC 3339, in UTC.
    package var createdAt: String
    package var updatedAt: String
    package var status: String
    /// 103 running, 200 succeeded, 400 failed, 401 cancelled.
    package var statusCode: Int
    /// Paths by kind: `instances`, `migrations`.
    package var resources: [String: [String]]
    /// What the operation tells about itself; `error` holds the whole error of a failed one.
    package var metadata: [String: JSONValue]
    package var mayCancel: Bool
    package var err: String
    package var location: String

    enum CodingKeys: String, CodingKey {
        case id, `class`, description
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case status
        case statusCode = "status_code"
        case resources, metadata
        case mayCancel = "may_cancel"
        case err, location
    }

    package var path: String { "/1.0/operations/\(id)" }
    package var isOver: Bool { statusCode != StatusCode.operationRunning }

    /// Why it failed or was cancelled; nil while it runs and after a success.
    package var error: GodwitError? {
        guard isOver, statusCode != StatusCode.operationSucceeded else { return nil }
        if let error = try? metadata["error"]?.decoded(as: GodwitError.self) { return error }
        let code: GodwitError.Code =
            statusCode == StatusCode.operationCancelled ? .cancelled : .internalFault
        return GodwitError(code, err)
    }
}
