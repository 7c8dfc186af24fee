package import MigrationCore

/// All that is asked of conntrack, which shows and changes the kernel's table of connections.
package enum Conntrack {
    package static let tool = "conntrack"

    /// The translated connections that lead to an address, in the format that `load` reads.
    package static func list(to address: NetworkAddress) -> Command {
        Command(tool, ["-L", "-o", "save", "-f", family(address), "--reply-src", "\(address)"])
    }

    /// Puts connections into the table. The lines go to standard input.
    package static func load(
        _ connections: [TranslatedConnection]
    ) -> (command: Command, input: String) {
        let lines = connections.map { line(for: $0) + "\n" }
        return (Command(tool, ["-R", "-"]), lines.joined())
    }

    /// Forgets the connections that lead to an address; ends with status 1 if there are none.
    package static func forget(to address: NetworkAddress) -> Command {
        Command(tool, ["-D", "-f", family(address), "--reply-src", "\(address)"])
    }

    private static func family(_ address: NetworkAddress) -> String {
        address.bytes.count == 16 ? "ipv6" : "ipv4"
    }

    private static func line(for connection: TranslatedConnection) -> String {
        let state = connection.state.map { " --state \($0.rawValue)" } ?? ""
        return "-A -t \(connection.seconds) -u SEEN_REPLY,ASSURED -s \(connection.client) "
            + "-d \(connection.host) -g \(connection.instance) -q \(connection.client) "
            + "-p \(connection.transport.rawValue) --sport \(connection.clientPort) "
            + "--dport \(connection.hostPort) --reply-port-src \(connection.port) "
            + "--reply-port-dst \(connection.clientPort)\(state)"
    }

    /// Reads what `list` prints. Lines of other connections (not translated, of other transports,
    /// not yet answered, TCP that begins or has ended) are passed over, and what is more than
    /// `Limit.connectionsKept`.
    package static func connections(in text: String) -> [TranslatedConnection] {
        let lines = text.split(separator: "\n").lazy.compactMap { connection(in: $0) }
        return Array(lines.prefix(Limit.connectionsKept))
    }

    private static func connection(in line: Substring) -> TranslatedConnection? {
        let words = line.split(separator: " ").map(String.init)
        guard words.first == "-A" else { return nil }
        var values: [String: String] = [:]
        for (name, value) in zip(words.dropFirst(), words.dropFirst(2)) where name.hasPrefix("-") {
            values[name] = value
        }
        guard values["-u"]?.contains("SEEN_REPLY") == true,
            let transport = values["-p"].flatMap(PortDefinition.Transport.init),
            let client = values["-s"].flatMap({ NetworkAddress($0) }),
            let host = values["-d"].flatMap({ NetworkAddress($0) }),
            // The last word of a destination translation may have a port of its own.
            let instance = values["-g"].flatMap({ NetworkAddress($0) }),
            let clientPort = values["--sport"].flatMap({ UInt16($0) }),
            let hostPort = values["--dport"].flatMap({ UInt16($0) }),
            let port = values["--reply-port-src"].flatMap({ UInt16($0) })
        else { return nil }
        let connection = TranslatedConnection(
            transport: transport, client: "\(client)", clientPort: clientPort, host: "\(host)",
            hostPort: hostPort, instance: "\(instance)", port: port,
            seconds: values["-t"].flatMap { UInt32($0) } ?? 60,
            state: values["--state"].flatMap(TranslatedConnection.State.init))
        return connection.hasFittingState ? connection : nil
    }
}

/// A connection through a published port, as the kernel that translates its addresses knows it.
package struct TranslatedConnection: Codable, Hashable, Sendable {
    /// Of TCP; those in which bytes can still come.
    package enum State: String, Codable, Sendable {
        case established = "ESTABLISHED"
        case closeWait = "CLOSE_WAIT"
        case finWait = "FIN_WAIT"
        case lastAcknowledgement = "LAST_ACK"
        case timeWait = "TIME_WAIT"
    }

    package var transport: PortDefinition.Transport
    package var client: String
    package var clientPort: UInt16
    /// The host's address and port that the client knows.
    package var host: String
    package var hostPort: UInt16
    package var instance: String
    package var port: UInt16
    /// For which the kernel keeps it without a packet.
    package var seconds: UInt32
    package var state: State?

    package init(
        transport: PortDefinition.Transport, client: String, clientPort: UInt16, host: String,
        hostPort: UInt16, instance: String, port: UInt16, seconds: UInt32, state: State?
    ) {
        self.transport = transport
        self.client = client
        self.clientPort = clientPort
        self.host = host
        self.hostPort = hostPort
        self.instance = instance
        self.port = port
        self.seconds = seconds
        self.state = state
    }

    /// TCP has a state, UDP has none: conntrack ends at the first line where it is otherwise.
    fileprivate var hasFittingState: Bool { (transport == .tcp) == (state != nil) }

    /// Whether it leads to the instance through one of its ports: a peer may have said anything.
    package func belongs(to definition: InstanceDefinition) -> Bool {
        guard hasFittingState, let client = NetworkAddress(client), let host = NetworkAddress(host),
            let inside = NetworkAddress(instance), client.bytes.count == host.bytes.count,
            definition.publishedAddress(isVersion6: host.bytes.count == 16) == inside
        else { return false }
        return (definition.ports ?? []).contains { published in
            published.transport == transport && published.hostPort == hostPort
                && published.port == port
                && (published.hostAddress.map { NetworkAddress($0) == host } ?? true)
        }
    }
}
