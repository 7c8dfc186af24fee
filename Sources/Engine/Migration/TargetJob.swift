import MigrationCore
import Synchronization

/// What reaches the runner of a migration's target.
enum TargetInput: Sendable {
    case event(TargetEvent)
    /// A control connection has come, the first or one that takes the place of a broken one.
    case attached(Link)
    case message(Message, link: Int)
    case linkEnded(Int)
    case cancel(GodwitError, Reply?)
    /// A person gives up what runs here without all of its memory, or is lost here.
    case giveUp(GodwitError, Reply)
    case stepEnded
    case shutDown
}

/// One migration of which this host is the target, as the rest of the engine sees it.
final class TargetJob: Sendable {
    let id: MigrationID
    let peer: PeerIdentity
    let inbox = Inbox<TargetInput>()
    let desk = StreamDesk()
    private let shown = Mutex<Ledger?>(nil)
    /// The newest control connection; what older ones still bring is dropped.
    private let newestLink = Mutex(0)

    init(id: MigrationID, peer: PeerIdentity) {
        self.id = id
        self.peer = peer
    }

    /// Nil until an offer has come.
    var ledger: Ledger? {
        get { shown.withLock { $0 } }
        set { shown.withLock { $0 = newValue } }
    }

    func cancel(_ reason: GodwitError) async -> Bool {
        await withCheckedContinuation { inbox.post(.cancel(reason, Reply($0))) }
    }

    /// Asks the runner to give the copy up, and whether that is a person's to say now.
    func giveUp(_ reason: GodwitError) async -> Bool {
        await withCheckedContinuation { inbox.post(.giveUp(reason, Reply($0))) }
    }

    func post(_ message: Message, over link: Link) {
        let isNewer = newestLink.withLock { newest in
            defer { newest = max(newest, link.number) }
            return link.number > newest
        }
        if isNewer { inbox.post(.attached(link)) }
        inbox.post(.message(message, link: link.number))
    }
}
