import AsyncHTTPClient
import Foundation
import MigrationCore
import NIOCore
import NIOHTTP1
import NIOPosix

/// Carries single requests to the daemon's Unix socket.
struct HTTPTransport: Sendable {
    let socketPath: String

    struct Answer: Sendable {
        let status: Int
        let body: [UInt8]
    }

    /// - Throws: `daemonUnreachable` if nothing answers.
    func ask(_ method: HTTPMethod, _ path: String, body: [UInt8]? = nil) async throws -> Answer {
        var request = HTTPClientRequest(url: url(path))
        request.method = method
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        do {
            let response = try await sharedClient.execute(request, deadline: .distantFuture)
            let buffer = try await response.body.collect(upTo: answerLimit)
            return Answer(status: Int(response.status.code), body: Array(buffer: buffer))
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            try Task.checkCancellation()
            throw GodwitError.unreachable(socketPath, cause: error)
        }
    }

    private func url(_ path: String) -> String {
        let host =
            socketPath.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? socketPath
        return "http+unix://\(host)\(path)"
    }
}

/// An instance's log of two files is the largest answer.
private let answerLimit = 2 * Int(Limit.instanceLog.bytes) + (1 << 20)

/// Lives as long as the program. A missing socket is said at once, not after retries.
///
/// The library counts the time in which a request waits for one of the connections to the time to
/// connect: a daemon that is busy, or requests that wait for operations, are no missing daemon.
private let sharedClient: HTTPClient = {
    var configuration = HTTPClient.Configuration()
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
    configuration.timeout.connect = .seconds(60)
    configuration.redirectConfiguration = .disallow
    configuration.httpVersion = .http1Only
    return HTTPClient(
        eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
}()

extension GodwitError {
    static func unreachable(_ socketPath: String, cause: any Error) -> GodwitError {
        GodwitError(
            .daemonUnreachable, "no daemon answers on \(socketPath)",
            remedy: "start it with `systemctl start godwit`, or name its socket with --socket",
            cause: "\(cause)")
    }
}
