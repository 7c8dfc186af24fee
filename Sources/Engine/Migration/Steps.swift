import Synchronization

/// Long steps of a migration as children of its runner's task group. They can be ended together,
/// and the runner then knows that none of them does anything any more.
final class Steps: Sendable {
    private struct Running {
        var next = 0
        var stops: [Int: Latch] = [:]
        var ends: [Int: Latch] = [:]
    }

    private let running = Mutex(Running())

    /// Starts the body, which must report its end itself unless it has been cancelled.
    func start(
        in group: inout DiscardingTaskGroup,
        _ body: @escaping @Sendable () async -> Void
    ) {
        let (stop, end) = (Latch(), Latch())
        let number = running.withLock { running in
            running.next += 1
            running.stops[running.next] = stop
            running.ends[running.next] = end
            return running.next
        }
        group.addTask {
            await withTaskGroup { race in
                race.addTask { await body() }
                race.addTask { await stop.wait() }
                await race.next()
                race.cancelAll()
            }
            self.running.withLock { running in
                running.stops[number] = nil
                running.ends[number] = nil
            }
            end.open()
        }
    }

    var isIdle: Bool { running.withLock { $0.ends.isEmpty } }

    /// Cancels every running step and returns when all have ended.
    func stopAll() async {
        let (stops, ends) = running.withLock { running in
            (Array(running.stops.values), Array(running.ends.values))
        }
        stops.forEach { $0.open() }
        for end in ends { await end.wait() }
    }
}
