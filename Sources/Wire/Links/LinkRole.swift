/// What a connection is used for, and so which frames may come on it.
enum LinkRole: Equatable {
    /// A listener's connection whose hello has not been accepted.
    case listening
    /// A listener's connection that is only told why it may not go on; it is not listened to.
    case refused
    /// The listener's side of the token exchange, and the dialer's.
    case token
    case redeeming
    case control
    case stream

    var isControl: Bool { self == .control }
    var isStream: Bool { self == .stream }
    var isDeaf: Bool { self == .refused }

    /// What may come first.
    var opening: FrameRules {
        switch self {
        case .listening: .hello
        case .refused: .nothing
        case .token: .token
        case .redeeming: .tokenAnswer
        case .control, .stream: .helloOrRefusal
        }
    }

    /// What may come after the peer's hello; a listener takes nothing until it has accepted it.
    var rules: FrameRules {
        switch self {
        case .listening, .refused, .token, .redeeming: .nothing
        case .control: .control
        case .stream: .stream
        }
    }
}
