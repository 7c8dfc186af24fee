import Hummingbird
import Logging
import MigrationCore
import NIOCore

/// Gives every error of a route, and of the router itself, the API's envelope.
struct ErrorEnvelopes: RouterMiddleware {
    typealias Context = APIContext

    func handle(
        _ request: Request, context: APIContext,
        next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            let failure = GodwitError(answering: error, path: request.uri.path)
            if failure.code == .internalFault {
                context.logger.error("unexpected error", metadata: ["error": "\(failure)"])
            }
            return .json(status: failure.code.httpStatus, errorBody(failure))
        }
    }
}

extension GodwitError {
    /// What a client is told about an error of a route or of the router.
    init(answering error: any Error, path: String) {
        switch error {
        case let error as any HTTPResponseError where error.status == .notFound:
            self.init(
                .notFound, "there is nothing at \(path.prefix(200))",
                remedy: "see docs/api.md for the resources")
        case is NIOTooManyBytesError:
            self.init(
                .limitExceeded,
                "the request's body is larger than \(Limit.requestBody.bytes) bytes",
                remedy: "send less")
        case let error as any HTTPResponseError:
            self.init(
                .badRequest, "the request was answered with HTTP status \(error.status.code)",
                remedy: "see docs/api.md for the resources and their methods")
        default: self.init(wrapping: error)
        }
    }
}
