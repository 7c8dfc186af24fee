import LinuxHost
import MigrationCore

/// nginx of the services' root filesystem: a master as root, workers as www-data.
package enum WebServer {
    package static let workers = 4

    /// Writes its settings and becomes it.
    package static let command = [
        "sh", "-c",
        """
        cat >/etc/nginx/nginx.conf <<END
        user www-data; worker_processes \(workers); daemon off; pid /run/nginx.pid;
        error_log /var/log/nginx/error.log;
        events { worker_connections 256; }
        http {
            access_log off; keepalive_requests 10000000;
            server { listen 80; root /var/www/html; }
        }
        END
        exec nginx
        """,
    ]

    /// Starts it on host a at the address and waits until its workers are there.
    ///
    /// - Throws: `timedOut` if they do not come.
    package static func launch(_ name: String, address: String, in lab: Lab) async throws {
        let root = try await RootFilesystem.services.path()
        let network = ["--address", "\(address)/24", "--bridge", Lab.bridge]
        try await lab.check("a", ["launch", root, name] + network + ["--"] + command)
        try await eventually("nginx answers", log: lab.daemonLog(of: "a")) {
            let said = try await lab.godwit("a", ["exec", name, "--", "ps", "-ef"])
            return said.text.split(separator: "\n").count { $0.contains("www-data") } == workers
        }
    }

    /// Lets `wrk` ask it over connections that are kept, and returns what it says.
    package static func load(
        address: String, connections: Int, seconds: Int, in lab: Lab
    ) async throws -> String {
        try await lab.client.check(
            [
                "wrk", "--threads", "1", "--connections", "\(connections)",
                "--duration", "\(seconds)s", "--timeout", "9s", "http://\(address)/",
            ])
    }
}
