import Foundation
import Synchronization

/// Work for several threads, which wait here for it.
final class WorkQueue<Item: Sendable>: Sendable {
    private struct State {
        var items: [Item] = []
        var isOpen = false
        var isEnded = false
    }

    private let state = Mutex(State())
    private let condition = NSCondition()

    /// Takes items; the last one is handed out first.
    func add(_ items: [Item]) { change { $0.items += items } }

    /// Puts an item behind all others.
    func putBack(_ item: Item) { change { $0.items.insert(item, at: 0) } }

    /// From now on items are handed out.
    func open() { change { $0.isOpen = true } }

    /// From now on nobody gets any.
    func end() {
        change { state in
            state.isEnded = true
            state.items = []
        }
    }

    /// Waits for the next item; nil at the end.
    func next() -> Item? {
        condition.lock()
        defer { condition.unlock() }
        while true {
            let (item, isEnded) = state.withLock { state in
                (state.isOpen ? state.items.popLast() : nil, state.isEnded)
            }
            if isEnded { return nil }
            if let item { return item }
            condition.wait()
        }
    }

    private func change(_ body: (inout sending State) -> Void) {
        condition.lock()
        state.withLock { body(&$0) }
        condition.broadcast()
        condition.unlock()
    }
}
