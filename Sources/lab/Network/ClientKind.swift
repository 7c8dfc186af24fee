/// What a client does while an instance moves.
package enum ClientKind: String, Codable, CaseIterable, Sendable {
    /// Numbered requests on one connection that is never renewed.
    case tcp
    /// A connection for each request.
    case visits = "new_tcp"
    case udp, icmp
    case tcp6, udp6
    /// At the address of the instance's second interface.
    case udpSecond = "udp_second"

    package var title: String {
        switch self {
        case .tcp: "TCP, one connection"
        case .visits: "TCP, a new one every 5 ms"
        case .udp: "UDP"
        case .icmp: "ICMP echo"
        case .tcp6: "TCP, one connection, IPv6"
        case .udp6: "UDP, IPv6"
        case .udpSecond: "UDP, second interface"
        }
    }

    /// Whether it has one connection that has to live on.
    package var keepsConnection: Bool { self == .tcp || self == .tcp6 }
}
