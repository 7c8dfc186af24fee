import MigrationCore

/// Migrations whose memory follows the instance.
extension Conversation {
    static let followings =
        [
            Conversation("memory follows the instance", following()),
            Conversation("memory may follow and none does", following(pages: 0)) { world in
                world.run { $0.target.steps.last?.kind == .fetch }
                world.fetch(world.target.steps.endIndex - 1)
            },
            Conversation("a restore that waits for a page", following { $0.needsPage = true }),
        ] + brokenFollowings + lostFollowings

    private static func following(
        pages: Int = 3, _ change: (inout Scenario) -> Void = { _ in }
    ) -> Scenario {
        scenario {
            $0.offer = Sample.offer(options: MoveOptions(memory: Sample.postcopy))
            $0.pages = pages
            change(&$0)
        }
    }

    private static let brokenFollowings = [
        Conversation("the link breaks while pages are served", following()) { world in
            world.run { $0.target.pagesLeft == 1 }
            world.breakLink()
        },
        Conversation("the source's daemon dies while pages are served", following()) { world in
            world.run { $0.target.pagesLeft == 1 }
            world.crashSource()
        },
        Conversation(
            "the source's daemon dies while the restore waits for a page",
            following { $0.needsPage = true }
        ) { world in
            world.run { $0.restoreWaits && $0.source.isServing && $0.wire.packets.isEmpty }
            world.crashSource()
        },
        Conversation("the target's daemon dies while pages are served", following()) { world in
            world.run { $0.target.pagesLeft == 1 }
            world.crashTarget()
        },
        Conversation(
            "the target's daemon dies before it has written that the copy runs", following()
        ) { world in
            world.run { $0.target.copy == .running }
            world.crashTarget()
        },
    ]

    private static let lostFollowings = [
        Conversation("the keeper dies and a person keeps the instance", following()) { world in
            world.run { $0.target.pagesLeft == 1 }
            world.loseMemory(leaving: .none)
            world.settle()
            world.resolve(.keepHere)
        },
        Conversation("the keeper dies and a person gives the instance up", following()) { world in
            world.run { $0.target.pagesLeft == 1 }
            world.loseMemory(leaving: .partial)
            world.settle()
            world.resolve(.gone)
        },
        Conversation("the keeper dies before the restore has ended", following()) { world in
            world.run { $0.target.copy == .partial }
            world.loseMemory(leaving: .partial)
        },
        Conversation("the keeper dies in the moment in which the restore ends", following()) {
            world in
            world.run { $0.target.copy == .running }
            world.loseMemory(leaving: .none)
            world.fetch(world.target.steps.endIndex - 1)
            world.settle()
            world.resolve(.keepHere)
        },
        Conversation(
            "the source burns down and a person gives up what lacks memory", following()
        ) { world in
            world.run { $0.target.pagesLeft == 1 }
            world.burn(.source)
            world.settle()
            world.giveUp()
        },
        Conversation(
            "a person lets go of the original and the copy is whole", following()
        ) { world in
            world.run { $0.target.hasRun && $0.target.pagesLeft == 0 }
            world.crashTarget()
            world.target.isBurnt = true
            world.settle()
            world.resolve(.gone)
            world.settle()
            world.target.isBurnt = false
        },
    ]
}
