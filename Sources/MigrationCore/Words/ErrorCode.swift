extension GodwitError {
    /// The stable name of a kind of failure. Scripts may rely on the spelling and on the exit
    /// status.
    package enum Code: String, Codable, Sendable, CaseIterable {
        case badRequest = "bad-request"
        case notFound = "not-found"
        case nameTaken = "name-taken"
        case notRunning = "not-running"
        case alreadyRunning = "already-running"
        case busy
        case notPermitted = "not-permitted"
        case refused
        case cancelled
        case timedOut = "timed-out"
        case linkLost = "link-lost"
        case peerUntrusted = "peer-untrusted"
        case peerIncompatible = "peer-incompatible"
        case protocolViolation = "protocol-violation"
        case tokenRejected = "token-rejected"
        case tooManyAttempts = "too-many-attempts"
        case limitExceeded = "limit-exceeded"
        case toolMissing = "tool-missing"
        case toolFailed = "tool-failed"
        case checkpointFailed = "checkpoint-failed"
        case restoreFailed = "restore-failed"
        case volumeDiffers = "volume-differs"
        case memoryDiffers = "memory-differs"
        case noSpace = "no-space"
        case kernelRefused = "kernel-refused"
        case custodyUndecided = "custody-undecided"
        case stateUnreadable = "state-unreadable"
        case daemonUnreachable = "daemon-unreachable"
        case internalFault = "internal-fault"
    }

    /// What a caller may do with a failed request.
    package enum Recovery: String, Codable, Sendable {
        case retry, resumeLater, giveUp
    }
}

extension GodwitError.Code {
    /// The process exit status of the command line for this code: one per class, after
    /// `sysexits.h`.
    package var exitStatus: Int32 {
        switch self {
        case .badRequest: 64
        case .notFound: 66
        case .nameTaken, .notRunning, .alreadyRunning, .busy: 65
        case .notPermitted, .peerUntrusted, .tokenRejected, .tooManyAttempts: 77
        case .refused: 2
        case .cancelled: 130
        case .timedOut, .linkLost: 75
        case .peerIncompatible, .protocolViolation, .limitExceeded: 76
        case .toolMissing: 69
        case .toolFailed, .checkpointFailed, .restoreFailed, .kernelRefused: 71
        case .volumeDiffers, .memoryDiffers, .noSpace: 74
        case .custodyUndecided: 3
        case .stateUnreadable: 78
        case .daemonUnreachable: 68
        case .internalFault: 70
        }
    }

    /// The HTTP status of the API's error answer.
    package var httpStatus: Int {
        switch self {
        case .badRequest, .limitExceeded: 400
        case .notPermitted, .peerUntrusted, .tokenRejected: 403
        case .notFound: 404
        case .nameTaken, .notRunning, .alreadyRunning, .busy, .custodyUndecided: 409
        case .refused: 412
        case .tooManyAttempts: 429
        default: 500
        }
    }

    package var recovery: GodwitError.Recovery {
        switch self {
        case .linkLost, .custodyUndecided, .daemonUnreachable: .resumeLater
        case .busy, .timedOut, .cancelled, .toolFailed, .noSpace, .tooManyAttempts: .retry
        default: .giveUp
        }
    }
}
