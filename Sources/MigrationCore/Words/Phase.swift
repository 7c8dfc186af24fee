/// The five phases of libvirt's migration protocol, version 3, in the only order there is.
package enum Phase: Int, Comparable, Codable, Sendable, CaseIterable {
    case begin, prepare, perform, finish, confirm

    package static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }

    package var title: String {
        switch self {
        case .begin: "begin"
        case .prepare: "prepare"
        case .perform: "perform"
        case .finish: "finish"
        case .confirm: "confirm"
        }
    }
}
