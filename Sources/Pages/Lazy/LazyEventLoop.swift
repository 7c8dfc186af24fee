import Foundation
import LinuxHost
import MigrationCore
import Synchronization

/// The server's one thread that listens: to CRIU, to tasks that want a userfaultfd, and to faults
/// and other events of all address spaces.
struct LazyEventLoop {
    private let server: LazyPagesServer
    private let wakeUp: Descriptor
    private var conversation: CriuConversation?
    private var tasks: Set<TaskID> = []
    private var spaces: [AddressSpace] = []
    /// Faults that cannot be answered yet.
    private var deferred: [Fault] = []
    /// Faults at pages that have been asked of the source.
    private var awaiting: [Fault] = []
    /// CRIU has said that all tasks stand.
    private var isFinished = false
    private var isFilling = false
    private var expectsContent = false

    init(_ server: LazyPagesServer, wakeUp: Descriptor) {
        self.server = server
        self.wakeUp = wakeUp
    }

    private struct Fault {
        let space: AddressSpace
        let address: UInt64
    }

    mutating func run() throws {
        while true {
            let (isStopped, failure) = server.state.withLock { ($0.isStopped, $0.failure) }
            if let failure { throw failure }
            if isStopped { return }
            try takeContent()
            retire()
            if isFilling && spaces.isEmpty { return end() }
            try waitAndServe()
        }
    }

    private mutating func waitAndServe() throws {
        var sources = [wakeUp]
        let talker = conversation?.connection ?? server.listener.descriptor
        if !isFinished { sources += [talker, server.deviceListener.descriptor] }
        let first = sources.count
        let known = spaces
        let ready = Readiness.wait(
            sources + known.map(\.memory.descriptor), milliseconds: deferred.isEmpty ? -1 : 1)
        if ready[0] {
            _ = try wakeUp.read(upTo: 4096)
            deferred += awaiting
            awaiting = []
        }
        answerDeferred()
        for (index, space) in known.enumerated() where ready[first + index] {
            try serve(space)
        }
        if !isFinished && ready[1] { try listen() }
        if first > 2 && ready[2] { giveDevice() }
    }

    /// Once the store is complete: what each address space waits for.
    private mutating func takeContent() throws {
        guard !expectsContent, server.state.withLock({ $0.isComplete }) else { return }
        expectsContent = true
        for space in spaces { expect(in: space) }
        share()
        if isFinished { try agree() }
    }

    private func expect(in space: AddressSpace) {
        var (content, owed): ([UInt64: PageSet], [UInt64: PageSet]) = ([:], [:])
        for (key, chunk) in server.store.allChunks() where key.task == space.task {
            if !chunk.content.isEmpty { content[key.index] = chunk.content }
            if !chunk.owed.isEmpty { owed[key.index] = chunk.owed }
        }
        space.expect(content, owed: owed)
        hold(space)
    }

    private func hold(_ space: AddressSpace) {
        server.placer.hold(space.neededChunks.map { ChunkKey(task: space.task, index: $0) })
    }

    private func end() {
        server.store.removeAll()
        server.state.withLock { state in
            state.took = state.began.map { ContinuousClock.now - $0 }
        }
    }

    /// Lets go of address spaces that are whole, or whose process has ended. The kernel then treats
    /// their memory as any other.
    private mutating func retire() {
        guard isFilling else { return }
        let whole = spaces.filter { $0.isGone || $0.isDone }
        guard !whole.isEmpty else { return }
        spaces.removeAll { space in whole.contains { $0 === space } }
        deferred.removeAll { fault in whole.contains { $0 === fault.space } }
        awaiting.removeAll { fault in whole.contains { $0 === fault.space } }
        share()
        for space in whole { space.gate.writing { space.memory.descriptor.close() } }
    }

    /// Shows the address spaces to who fetches for them, and who asks for progress.
    private func share() {
        server.state.withLock { $0.spaces = spaces }
        server.fetcher.wake()
    }
}

// CRIU and its tasks.
extension LazyEventLoop {
    private mutating func listen() throws {
        guard let conversation else {
            conversation = CriuConversation(connection: try server.listener.accept())
            return
        }
        switch try conversation.next() {
        case .task(let task, let memory):
            let space = AddressSpace(task: task, memory: memory)
            guard tasks.insert(task).inserted else {
                throw GodwitError(
                    .restoreFailed, "CRIU handed over the memory of task \(task.number) twice")
            }
            if expectsContent { expect(in: space) }
            spaces.append(space)
            share()
            server.placer.count { $0.tasks += 1 }
        case .zombie: break
        case .finished:
            isFinished = true
            if expectsContent { try agree() }
        }
    }

    /// All tasks stand and the store is complete: have them run.
    private mutating func agree() throws {
        do {
            let content = server.store.content()
            try RestoredMemory.check(content, tasks: tasks, pids: server.pids)
        } catch {
            conversation?.answer(agreed: false)
            throw error
        }
        isFilling = true
        server.state.withLock { $0.began = ContinuousClock.now }
        conversation?.answer(agreed: true)
        conversation = nil
        let work = spaces.flatMap { space in
            space.pendingChunks.map {
                (size: $0.value, work: LazyPagesServer.Work(space: space, index: $0.key))
            }
        }
        // The last one goes first.
        server.queue.add(work.sorted { $0.size < $1.size }.map(\.work))
        server.queue.open()
    }

    /// A task that gets nothing reports it, and CRIU with it.
    private func giveDevice() {
        guard let connection = try? server.deviceListener.accept(),
            let device = try? Descriptor.open("/dev/userfaultfd", O_RDWR)
        else { return }
        try? connection.send(device)
    }
}

// Faults and events.
extension LazyEventLoop {
    private mutating func serve(_ space: AddressSpace) throws {
        let faults = try space.gate.writing { try readEvents(of: space) }
        guard !faults.isEmpty else { return }
        server.state.withLock { $0.lastFault = ContinuousClock.now }
        for address in faults { answer(address, in: space) }
    }

    /// Nobody places pages meanwhile, see `AddressSpace`.
    private mutating func readEvents(of space: AddressSpace) throws -> [UInt64] {
        var faults: [UInt64] = []
        for event in try space.memory.events() {
            switch event {
            case .fault(let address):
                faults.append(address / UInt64(PageRun.pageSize) * UInt64(PageRun.pageSize))
            case .forked(let memory): fork(space, memory)
            case .moved(let from, let to, let length):
                release(space.moved(from: from, to: to, length: length), of: space)
            case .emptied(let range), .unmapped(let range):
                release(space.removed(range), of: space)
            }
        }
        return faults
    }

    private func release(_ indices: [UInt64], of space: AddressSpace) {
        server.placer.release(indices.map { ChunkKey(task: space.task, index: $0) })
    }

    private mutating func fork(_ parent: AddressSpace, _ memory: FaultingMemory) {
        let child = AddressSpace(childOf: parent, memory: memory)
        hold(child)
        server.placer.count { $0.forks += 1 }
        server.queue.add(
            child.pendingChunks.keys.map { LazyPagesServer.Work(space: child, index: $0) })
        spaces.append(child)
        share()
    }

    private mutating func answerDeferred() {
        let waiting = deferred
        deferred = []
        for fault in waiting { answer(fault.address, in: fault.space) }
    }

    private mutating func answer(_ address: UInt64, in space: AddressSpace) {
        let fault = Fault(space: space, address: address)
        guard expectsContent else { return deferred.append(fault) }
        let result: Placer.Result? = space.gate.reading {
            switch space.need(at: address, limit: Self.pagesPerFault) {
            case .content(let claim): return place(claim, in: space)
            case .zeros(let count): return server.placer.placeZeros(count, at: address, in: space)
            case .onItsWay: return .done
            case .owed(let pages):
                server.fetcher.ask(for: pages)
                return nil
            }
        }
        switch result {
        case nil: awaiting.append(fault)
        case .done: server.placer.count { $0.faults += 1 }
        case .early: deferred.append(fault)
        case .gone: server.placer.abandon(space)
        case .failed(let code):
            server.stop(
                GodwitError.kernel("place a page of task \(space.task.number)", code: code))
        }
    }

    private func place(_ claim: AddressSpace.Claim, in space: AddressSpace) -> Placer.Result {
        let result = server.placer.place(claim, in: space, byFault: true)
        // The background may have left the chunk while its last pages were ours.
        if result == .early {
            server.queue.putBack(LazyPagesServer.Work(space: space, index: claim.key.index))
        }
        return result
    }

    /// A fault brings its neighbours with it, which are likely to be wanted next.
    private static let pagesPerFault = 16
}
