import MigrationCore
import Synchronization

/// A host in memory: instances that have only a status, and moves that go as the test says.
final class FakeHost: HostControl {
    struct State {
        var instances: [String: InstanceView] = [:]
        var migrations: [MigrationReport] = []
        var remotes: [RemoteView] = []
        var trusted: [PeerIdentity] = []
        var resolutions: [String: Resolution] = [:]
        var launched: [LaunchRequest] = []
        var moves: [MoveRequest] = []
        var stops: [String] = []
        var starts: [StateUse] = []
        var cancelled: [String] = []
        var bandwidths: [String] = []
        var forwards: [Forward] = []
        var pools: [PoolView] = []
        var volumes: [VolumeView] = []
        var snapshots: [String: [SnapshotView]] = [:]
        var restored: [String] = []
        var copies: [CopyRequest] = []
        var images: [ImageView] = []
        var exports: [String] = []
        var moveGates: [String: AsyncStream<Void>.Continuation] = [:]
        var refusesCancel = false
        /// What `information` throws.
        var failure: GodwitError?
    }

    let state = Mutex(State())

    func add(_ name: String, _ status: InstanceStatus = .running) throws {
        let view = try Sample.instance(name, status)
        state.withLock { $0.instances[name] = view }
    }

    func information() async throws -> HostInformation {
        if let failure = state.withLock(\.failure) { throw failure }
        return Sample.information
    }

    func check() async throws -> HostCheck {
        HostCheck(facts: Sample.facts, findings: [Sample.finding])
    }

    func instances() async throws -> [InstanceView] {
        state.withLock {
            $0.instances.values.sorted { $0.definition.name.text < $1.definition.name.text }
        }
    }

    func instance(_ name: InstanceName) async throws -> InstanceView {
        try state.withLock { state in
            guard let view = state.instances[name.text] else {
                throw GodwitError(
                    .notFound, "there is no instance \"\(name)\"", remedy: "see `godwit list`")
            }
            return view
        }
    }

    func launch(_ request: LaunchRequest) async throws {
        guard (try? await instance(request.name)) == nil else {
            throw GodwitError(.nameTaken, "the name \"\(request.name)\" is taken")
        }
        let view = try Sample.instance(request.name.text, request.starts ? .running : .stopped)
        state.withLock { state in
            state.launched.append(request)
            state.instances[request.name.text] = view
        }
    }

    private func set(_ name: InstanceName, _ status: InstanceStatus) async throws {
        var view = try await instance(name)
        view.observation.status = status
        state.withLock { [view] in $0.instances[name.text] = view }
    }

    func start(_ name: InstanceName, _ use: StateUse) async throws {
        state.withLock { $0.starts.append(use) }
        guard try await instance(name).observation.status == .stopped else {
            throw GodwitError(.alreadyRunning, "\"\(name)\" runs already")
        }
        try await set(name, .running)
    }

    func stop(_ name: InstanceName, force: Bool, grace: Duration) async throws {
        state.withLock { $0.stops.append("\(name) \(force) \(grace)") }
        try await set(name, .stopped)
    }

    func stopStateful(_ name: InstanceName) async throws {
        state.withLock { $0.stops.append("\(name) stateful") }
        try await set(name, .stopped)
    }

    func restart(_ name: InstanceName, force: Bool, grace: Duration) async throws {
        try await set(name, .running)
    }

    func freeze(_ name: InstanceName) async throws { try await set(name, .frozen) }
    func unfreeze(_ name: InstanceName) async throws { try await set(name, .running) }

    func delete(_ name: InstanceName, force: Bool) async throws {
        let status = try await instance(name).observation.status
        guard status == .stopped || force else {
            throw GodwitError(.alreadyRunning, "\"\(name)\" runs", remedy: "stop it, or use force")
        }
        state.withLock { _ = $0.instances.removeValue(forKey: name.text) }
    }

    func rename(_ name: InstanceName, to newName: InstanceName) async throws {
        let status = try await instance(name).observation.status
        let view = try Sample.instance(newName.text, status)
        state.withLock { state in
            state.instances[name.text] = nil
            state.instances[newName.text] = view
        }
    }

    func log(_ name: InstanceName, limit: ByteCount) async throws -> [UInt8] {
        _ = try await instance(name)
        return [0x68, 0x69, 0x0a, 0xff]
    }

    /// `cat` copies its input, `fail N` ends with N after a line on each stream, `wait` never ends.
    func execute(_ request: ExecuteRequest, in name: InstanceName) async throws -> Int32 {
        _ = try await instance(name)
        switch request.command[0] {
        case "cat":
            for await bytes in request.input { try await request.output(bytes) }
            return 0
        case "wait":
            try await request.output(Array("waiting\n".utf8))
            try await Task.sleep(for: .seconds(600))
            return 0
        default:
            try await request.output(Array("out\n".utf8))
            try await request.errorOutput(Array("err\n".utf8))
            return Int32(request.command.dropFirst().first ?? "0") ?? 0
        }
    }

    func planMove(_ request: MoveRequest) async throws -> MovePreview {
        try Sample.preview(of: request)
    }

    /// Waits until `finishMove` or a cancellation, unless the instance is called `quick`.
    func move(
        _ request: MoveRequest,
        started: @escaping @Sendable (MigrationID) -> Void,
        progress: @escaping @Sendable (MigrationProgress) -> Void
    ) async throws -> MigrationReport {
        _ = try await instance(request.name)
        let gate = AsyncStream.makeStream(of: Void.self)
        let id = try state.withLock { state in
            let id = try Sample.id(state.moves.count)
            state.moves.append(request)
            state.moveGates[id.text] = gate.continuation
            state.migrations.insert(Sample.report(id, request), at: 0)
            return id
        }
        started(id)
        progress(Sample.progress(id))
        if request.name.text != "quick" { for await _ in gate.stream {} }
        guard !state.withLock({ $0.cancelled.contains(id.text) }) else {
            throw GodwitError(
                .cancelled, "the move was cancelled", remedy: "\"\(request.name)\" runs here")
        }
        return finished(id)
    }

    private func finished(_ id: MigrationID) -> MigrationReport {
        state.withLock { state in
            let index = state.migrations.firstIndex { $0.id == id } ?? 0
            state.migrations[index].status = .succeeded
            state.migrations[index].phase = .confirm
            return state.migrations[index]
        }
    }

    func finishMove(_ id: MigrationID) {
        state.withLock { $0.moveGates[id.text] }?.finish()
    }

    func cancelMigration(_ id: MigrationID) async throws {
        let gate = try state.withLock { state in
            guard let gate = state.moveGates[id.text] else {
                throw GodwitError(.notFound, "there is no migration \(id)")
            }
            guard !state.refusesCancel else {
                throw GodwitError(.busy, "custody has been offered", remedy: "wait for the end")
            }
            state.cancelled.append(id.text)
            return gate
        }
        gate.finish()
    }

    func setBandwidth(_ bandwidth: ByteCount?, of id: MigrationID) async throws {
        _ = try await migration(id)
        state.withLock { $0.bandwidths.append("\(id) \(bandwidth?.bytes ?? 0)") }
    }

    func pools() async throws -> [PoolView] { state.withLock(\.pools) }

    func pool(_ name: String) async throws -> PoolView {
        guard let pool = state.withLock({ $0.pools.first { $0.definition.name == name } }) else {
            throw GodwitError(.notFound, "there is no pool \(name)")
        }
        return pool
    }

    func createPool(_ definition: PoolDefinition) async throws {
        state.withLock { $0.pools.append(PoolView(definition: definition, facts: nil)) }
    }

    func growPool(_ name: String, to size: ByteCount) async throws {
        state.withLock { state in
            for index in state.pools.indices where state.pools[index].definition.name == name {
                state.pools[index].definition.size = size
            }
        }
    }

    func prunePool(_ name: String) async throws -> [KeptCopy] {
        let pool = try await pool(name)
        state.withLock { state in
            for index in state.pools.indices where state.pools[index].definition.name == name {
                state.pools[index].kept = []
            }
        }
        return pool.kept ?? []
    }

    func deletePool(_ name: String) async throws {
        _ = try await pool(name)
        state.withLock { $0.pools.removeAll { $0.definition.name == name } }
    }

    func forwards() async throws -> [Forward] { state.withLock(\.forwards) }

    func endForward(_ name: InstanceName) async throws {
        try state.withLock { state in
            guard state.forwards.contains(where: { $0.instance == name }) else {
                throw GodwitError(.notFound, "no traffic of an instance \(name) is forwarded")
            }
            state.forwards.removeAll { $0.instance == name }
        }
    }

    func migrations(of name: InstanceName?) async throws -> [MigrationReport] {
        state.withLock { state in
            state.migrations.filter { name == nil || $0.instance == name }
        }
    }

    func migration(_ id: MigrationID) async throws -> MigrationReport {
        guard let report = try await migrations(of: nil).first(where: { $0.id == id }) else {
            throw GodwitError(.notFound, "there is no migration \(id)")
        }
        return report
    }

    func progress(of id: MigrationID) async throws -> MigrationProgress? {
        try await migration(id).status == .running ? Sample.progress(id) : nil
    }

    func resolve(_ name: InstanceName, _ resolution: Resolution) async throws {
        _ = try await instance(name)
        state.withLock { $0.resolutions[name.text] = resolution }
    }

    func remotes() async throws -> [RemoteView] { state.withLock(\.remotes) }

    func addRemote(_ name: RemoteName, token: String) async throws {
        guard token == "good" else {
            throw GodwitError(.tokenRejected, "the token was not taken", remedy: "make a new one")
        }
        state.withLock { state in
            state.remotes.append(
                RemoteView(name: name, addresses: ["10.0.0.2:7443"], fingerprint: "ab"))
        }
    }

    func removeRemote(_ name: RemoteName) async throws {
        try state.withLock { state in
            guard let index = state.remotes.firstIndex(where: { $0.name == name }) else {
                throw GodwitError(.notFound, "there is no remote \"\(name)\"")
            }
            state.remotes.remove(at: index)
        }
    }

    func trusted() async throws -> [PeerIdentity] { state.withLock(\.trusted) }

    func addTrust(_ name: RemoteName) async throws -> String {
        state.withLock { $0.trusted.append(PeerIdentity(fingerprint: "cd", name: name.text)) }
        return "token-for-\(name)"
    }

    func removeTrust(_ name: RemoteName) async throws {
        state.withLock { state in state.trusted.removeAll { $0.name == name.text } }
    }

    func redeem(_ request: TokenRedemption) async throws -> TokenAcceptance {
        TokenAcceptance(name: request.name, hostName: "host-a")
    }
}
