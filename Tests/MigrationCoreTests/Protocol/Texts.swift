import MigrationCore

/// How transcripts and traces spell what happens.
protocol Told {
    var text: String { get }
}

extension Message: Told {
    var text: String {
        switch self {
        case .declined(let reason), .abort(let reason), .lost(let reason):
            "\(word) (\(reason.code.rawValue))"
        case .refused(let findings): "\(word) (\(findings.count))"
        case .offer(let offer):
            "\(word) (versions \(offer.capabilities.oldestVersion) to "
                + "\(offer.capabilities.newestVersion), "
                + "\(offer.capabilities.features.map(\.name).joined(separator: " and ")))"
        case .accepted(let acceptance):
            "\(word) (version \(acceptance.version), "
                + "\(acceptance.features.joined(separator: " and ")))"
        default: word
        }
    }
}

extension SourceRecord: Told {
    /// The record's name as the protocol's description spells it.
    var word: String {
        switch self {
        case .begun: "begun"
        case .custodyOffered: "custodyOffered"
        case .confirmed: "confirmed"
        case .ended: "ended"
        case .reverting: "reverting"
        case .closed: "closed"
        }
    }

    var text: String {
        if case .reverting(let reason) = self { return "\(word) (\(reason.code.rawValue))" }
        return word
    }
}

extension TargetRecord: Told {
    /// The record's name as the protocol's description spells it.
    var word: String {
        switch self {
        case .prepared: "prepared"
        case .taken: "taken"
        case .running: "running"
        case .lost: "lost"
        case .finished: "finished"
        case .declined: "declined"
        case .cleaned: "cleaned"
        case .closed: "closed"
        }
    }

    var text: String {
        switch self {
        case .declined(let reason), .cleaned(let reason), .lost(let reason):
            "\(word) (\(reason.code.rawValue))"
        default: word
        }
    }
}

extension Outcome: Told {
    var text: String {
        switch self {
        case .moved(let receipt): receipt.isRunning ? "moved" : "moved, held"
        case .notMoved(let reason): "not moved (\(reason.code.rawValue))"
        case .planned: "planned"
        }
    }
}

extension SourceEvent: Told {
    var text: String {
        switch self {
        case .started: "started"
        case .inspected: "inspected"
        case .linked: "linked"
        case .linkLost: "link lost"
        case .received(let message): "received \(message.text)"
        case .volumesSent: "volumes sent"
        case .frozen: "frozen"
        case .stateSent: "state sent"
        case .stepFailed(let reason): "step failed (\(reason.code.rawValue))"
        case .cancelled(let reason): "cancelled (\(reason.code.rawValue))"
        case .reverted: "reverted"
        case .originalEnded: "original ended"
        case .resolved(let resolution): "resolved \(resolution.rawValue)"
        }
    }
}

extension SourceAction: Told {
    var text: String {
        switch self {
        case .record(let record): "record \(record.text)"
        case .inspect: "inspect"
        case .connect: "connect"
        case .send(let message): "send \(message.text)"
        case .sendVolumes: "send volumes"
        case .freeze: "freeze"
        case .sendState: "send state"
        case .servePages: "serve pages"
        case .stopSteps: "stop steps"
        case .revert: "revert"
        case .endOriginal: "end original"
        case .conclude(let outcome): "conclude \(outcome.text)"
        case .disconnect: "disconnect"
        }
    }
}

extension TargetEvent: Told {
    var text: String {
        switch self {
        case .received(let message): "received \(message.text)"
        case .checked(let findings, _): "checked (\(findings.count))"
        case .prepared: "prepared"
        case .stateArrived: "state arrived"
        case .restored: "restored"
        case .fetched(let fetched): fetched == nil ? "fetched (nothing)" : "fetched"
        case .fetchFailed(let reason): "fetch failed (\(reason.code.rawValue))"
        case .givenUp(let reason): "given up (\(reason.code.rawValue))"
        case .stepFailed(let reason): "step failed (\(reason.code.rawValue))"
        case .linkLost: "link lost"
        case .discarded: "discarded"
        case .cleaned: "cleaned"
        case .cancelled(let reason): "cancelled (\(reason.code.rawValue))"
        }
    }
}

extension TargetAction: Told {
    var text: String {
        switch self {
        case .record(let record): "record \(record.text)"
        case .send(let message): "send \(message.text)"
        case .check: "check"
        case .prepare: "prepare"
        case .receiveState: "receive state"
        case .restore: "restore"
        case .fetch: "fetch"
        case .endFetch: "end fetch"
        case .stopSteps: "stop steps"
        case .discard: "discard"
        case .cleanUp: "clean up"
        case .adopt: "adopt"
        case .conclude(let outcome): "conclude \(outcome.text)"
        case .disconnect: "disconnect"
        }
    }
}
