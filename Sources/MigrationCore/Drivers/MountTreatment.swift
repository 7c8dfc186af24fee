/// What becomes of one of an instance's mounts when it moves: `move`, `share`, `skip`, `refuse`, or
/// the target's path that takes the place of the host's.
package enum MountTreatment: CheckedText {
    /// The named volume travels with the instance.
    case move
    /// The target has the same under the same name: nothing travels.
    case share
    /// The target has it under another path.
    case remap(String)
    /// The instance is without it on the target.
    case skip
    /// The instance does not move with it.
    case refuse

    package init(_ text: String) throws(GodwitError) {
        switch text {
        case "move": self = .move
        case "share": self = .share
        case "skip": self = .skip
        case "refuse": self = .refuse
        case _
        where text.hasPrefix("/") && text.utf8.count <= Limit.word.bytes
            && !text.utf8.contains(0):
            self = .remap(text)
        default:
            throw GodwitError(
                .badRequest, "\"\(text.prefix(80))\" is nothing that becomes of a mount",
                remedy: "give move, share, skip, refuse, or a path of the target's host")
        }
    }

    package var description: String {
        switch self {
        case .move: "move"
        case .share: "share"
        case .remap(let path): path
        case .skip: "skip"
        case .refuse: "refuse"
        }
    }
}

extension InstanceDefinition {
    /// What is asked for of its mounts, by their places in the instance.
    ///
    /// - Parameter wishes: by place in the instance or by path of the host.
    /// - Throws: `badRequest` for a wish that fits no mount, or none of that kind.
    package func treatments(
        for wishes: [String: MountTreatment]
    ) throws(GodwitError) -> [String: MountTreatment] {
        var treatments: [String: MountTreatment] = [:]
        for (path, wish) in wishes.sorted(by: { $0.key < $1.key }) {
            for mount in try mounts(called: path) {
                try mount.requireSense(of: wish)
                guard treatments.updateValue(wish, forKey: mount.path) == nil else {
                    throw GodwitError(
                        .badRequest, "two things are asked of the mount at \(mount.path)",
                        remedy: "ask for one")
                }
            }
        }
        return treatments
    }

    private func mounts(called path: String) throws(GodwitError) -> [MountDefinition] {
        let inside = mounts.filter { $0.path == path }
        let outside = mounts.filter { $0.volume == nil && $0.hostPath == path }
        guard inside.isEmpty || outside.isEmpty || inside == outside else {
            throw GodwitError(
                .badRequest,
                "\(path.prefix(200)) is the host's path of one mount and the place of another",
                remedy: "name each by its other path (`godwit info \(name)`)")
        }
        guard let found = [inside, outside].first(where: { !$0.isEmpty }) else {
            throw GodwitError(
                .badRequest, "\(name) mounts nothing at or from \(path.prefix(200))",
                remedy: "see its mounts with `godwit info \(name)`")
        }
        return found
    }
}

extension MountDefinition {
    fileprivate func requireSense(of wish: MountTreatment) throws(GodwitError) {
        switch (wish, volume) {
        case (.move, nil):
            throw GodwitError(
                .badRequest, "\(hostPath) is a path of the host's, which does not travel",
                remedy: "share, remap or skip it, or put its files into a named volume")
        case (.remap, .some(let volume)):
            throw GodwitError(
                .badRequest, "the volume \(volume) goes to the pool of the same name",
                remedy: "leave the path out")
        default: break
        }
    }
}

extension MoveOptions {
    /// What was asked for, or what is usual: volumes travel, host paths are the target's too.
    package func treatment(of mount: MountDefinition) -> MountTreatment {
        mounts?[mount.path] ?? (mount.volume == nil ? .share : .move)
    }

    /// Of every mount, by its place in the instance; nil without mounts.
    package func treatments(of definition: InstanceDefinition) -> [String: MountTreatment]? {
        guard !definition.mounts.isEmpty else { return nil }
        return Dictionary(
            definition.mounts.map { ($0.path, treatment(of: $0)) }, uniquingKeysWith: { $1 })
    }

    /// The named volumes that travel.
    package func movingVolumes(of definition: InstanceDefinition) -> [VolumeReference] {
        definition.mounts.compactMap { treatment(of: $0) == .move ? $0.volume : nil }
    }

    /// The mounts as they are to be on the target.
    func arriving(_ mounts: [MountDefinition]) -> [MountDefinition] {
        mounts.compactMap { mount in
            var arriving = mount
            switch treatment(of: mount) {
            case .skip: return nil
            case .remap(let path) where mount.volume == nil: arriving.hostPath = path
            case .remap, .move, .share, .refuse: break
            }
            return arriving
        }
    }
}
