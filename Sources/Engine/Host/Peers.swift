import Logging
package import MigrationCore

extension HostService: PeerAcceptor {
    package func accept(
        control channel: any MessageChannel,
        migration: MigrationID,
        from peer: PeerIdentity
    ) async {
        links += 1
        let link = Link(channel, number: links, migration: migration)
        await withDiscardingTaskGroup { group in
            group.addTask { await link.write() }
            await link.read { message in deliver(message, over: link, from: peer) }
            targets[migration]?.inbox.post(.linkEnded(link.number))
            link.finish()
        }
    }

    /// Gives the message to the migration's runner; makes one, from the journal if that knows the
    /// migration, where there is none.
    private func deliver(_ message: Message, over link: Link, from peer: PeerIdentity) {
        let id = link.migration
        do {
            try recoverOnce()
            if let job = targets[id] {
                guard job.peer.fingerprint == peer.fingerprint else { throw stranger(peer) }
                return job.post(message, over: link)
            }
            let entry = try store.targetEntry(id)
            guard entry.map({ $0.context.peer.fingerprint == peer.fingerprint }) ?? true else {
                throw stranger(peer)
            }
            if entry == nil, case .offer = message, targets.count >= Limit.migrationsAtOnce {
                link.send(.refused([.tooMany]))
                return link.finish()
            }
            let job = TargetJob(id: id, peer: peer)
            let context = TargetContext(peer: peer, offer: nil, plan: nil)
            try start(job, entry?.context ?? context, from: entry?.record)
            job.post(message, over: link)
        } catch {
            logger.warning(
                "a message was not taken",
                metadata: ["peer": "\(peer.name)", "migration": "\(id)", "error": "\(error)"]
            )
            link.finish()
        }
    }

    package func accept(
        stream: any ByteStream,
        hello: StreamHello,
        from peer: PeerIdentity
    ) async {
        // The hello may overtake the runner by a moment, never by much: the source opens streams
        // only after it was told that they are awaited.
        for _ in 0..<40 {
            if let job = targets[hello.migration] {
                guard job.peer.fingerprint == peer.fingerprint else { break }
                if await job.desk.bring(stream, for: hello.purpose) { return }
            }
            guard (try? await Task.sleep(for: .milliseconds(50))) != nil else { break }
        }
        logger.warning(
            "a stream was refused",
            metadata: ["peer": "\(peer.name)", "migration": "\(hello.migration)"]
        )
        await stream.cancel()
    }

    private func stranger(_ peer: PeerIdentity) -> GodwitError {
        GodwitError(.peerUntrusted, "the migration is not one of \(peer.name)")
    }
}

extension Finding {
    fileprivate static let tooMany = Finding(
        "limit",
        cause: "the target takes part in \(Limit.migrationsAtOnce) migrations already",
        cure: "wait until one of them is over"
    )
}
