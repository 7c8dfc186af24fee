import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// A server in the instance, and a client that sees whether one connection lives on.
extension MoveLab {
    /// Answers the lines of each connection with numbers from 1 on; told to `tell`, says them by
    /// itself.
    static let server = """
        import socket, time, _thread
        def serve(link):
            lines = link.makefile('rb')
            number = 0
            if lines.readline() == b'tell\\n':
                while True:
                    number += 1
                    link.sendall(b'%d\\n' % number)
                    time.sleep(0.02)
            number = 1
            link.sendall(b'1\\n')
            while lines.readline():
                number += 1
                link.sendall(b'%d\\n' % number)
        door = socket.socket(socket.AF_INET6)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(('::', 80))
        door.listen(64)
        while True:
            _thread.start_new_thread(serve, (door.accept()[0],))
        """

    /// Asks over one connection until /run/stop is there; says how many answers came in order.
    static let asker = """
        import socket, sys, os, time
        link = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = link.makefile('rb')
        last = count = 0
        open('/run/asking', 'w').close()
        isTold = len(sys.argv) > 3
        if isTold: link.sendall(b'tell\\n')
        while not os.path.exists('/run/stop'):
            if not isTold: link.sendall(b'?\\n')
            number = int(lines.readline())
            assert number == last + 1, (number, last)
            last, count = number, count + 1
            if not isTold: time.sleep(0.002)
        sys.stdout.write('answers %d' % count)
        """

    /// Launches `web` as a server that numbers lines.
    func serve(_ options: [String]) async throws {
        let root = try await RootFilesystem.services.path()
        try await lab.check(
            "a", ["launch", root, "web"] + options + ["--", "python3", "-c", Self.server])
    }

    /// What the client has to say about a connection that it has while `body` runs.
    ///
    /// - Parameter isTold: the client only listens, the instance speaks.
    func asking(
        _ address: String, _ port: Int, isTold: Bool = false, _ body: () async throws -> Void
    ) async throws -> Int {
        let client = lab.client
        try await client.check(["rm", "-f", "/run/stop", "/run/asking"])
        try await eventually("the server answers", log: lab.daemonLog(of: "a")) {
            let probe = "exec 3<>/dev/tcp/\(address)/\(port)"
            return try await client.run(["timeout", "1", "bash", "-c", probe]).status.isSuccess
        }
        async let said = client.run(
            ["python3", "-c", Self.asker, address, "\(port)"] + (isTold ? ["tell"] : []),
            seconds: 90)
        try await eventually("the client asks") {
            try await client.run(["test", "-e", "/run/asking"]).status.isSuccess
        }
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        try await client.check(["touch", "/run/stop"])
        let words = try await said
        try result.get()
        #expect(words.status.isSuccess, "\(words.errorText)")
        return words.text.split(separator: " ").last
            .flatMap { Int($0.trimmingCharacters(in: .newlines)) } ?? 0
    }
}
