import Foundation
import MigrationCore

/// Opens a connection for each request and closes it with the answer, whether or not the ones
/// before have been answered.
struct Visitor {
    private(set) var account = ClientAccount(.visits)
    private let peer: Peer
    private var visits: [Visit] = []

    private struct Visit {
        let socket: ClientSocket
        let start: Int64
        var isAsked = false
    }

    init(peer: Peer) { self.peer = peer }

    /// What to wait for: first that it can be written, then the answer.
    var wishes: [pollfd] {
        visits.map { visit in
            pollfd(
                fd: visit.socket.descriptor, events: Int16(visit.isAsked ? POLLIN : POLLOUT),
                revents: 0)
        }
    }
    var isComplete: Bool { visits.isEmpty }

    mutating func begin(at now: Int64) {
        account.ask()
        do {
            visits.append(Visit(socket: try peer.connected(.stream), start: now))
        } catch {
            fail(error, at: now)
        }
    }

    /// - Parameter ready: what the kernel has answered to `wishes`.
    mutating func go(on ready: ArraySlice<pollfd>, at now: Int64) {
        precondition(ready.count == visits.count)
        let before = visits
        visits = []
        for (visit, answer) in zip(before, ready) {
            guard let next = answer.revents == 0 ? visit : next(of: visit, at: now) else {
                continue
            }
            visits.append(next)
        }
    }

    /// Nil if the visit is over.
    private mutating func next(of visit: Visit, at now: Int64) -> Visit? {
        do {
            guard visit.isAsked else {
                var next = visit
                next.isAsked = try visit.socket.send(bytes(of: account.asked))
                return next
            }
            guard try visit.socket.receive() != nil else { return visit }
            account.answer(asked: visit.start, at: now)
        } catch {
            fail(error, at: now)
        }
        visit.socket.end()
        return nil
    }

    private mutating func fail(_ error: any Error, at now: Int64) {
        account.fail((error as? GodwitError)?.message ?? "\(error)", at: now)
    }

    mutating func finish() {
        for visit in visits {
            account.lose(asked: visit.start)
            visit.socket.end()
        }
        visits = []
    }
}
