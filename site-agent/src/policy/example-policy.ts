/** What `site-agent policy --example` prints: every rule there is, with a word on each. */
export const EXAMPLE_POLICY = `# The policy of this site: save it as policy.yaml in the site's folder. Each rule narrows what a plan may ask here; a rule that is
# left out allows everything. A change counts at once. docs/guides/policy.md explains all of them.

campaigns:                     # by name; * stands for any characters
  allow: ["chest-*", brain-2026]
  deny: ["*-test"]             # even if they are allowed above

objectives: [models-genesis, universal-model]

folders:                       # who may train on which scans, by the paths under which they were indexed
  - paths: [/data/chest/ct]
    campaigns: ["chest-*"]
  - paths: [/data/open]        # for every campaign

minimumCohort: 3               # sites invited to a round, this one among them
mostSteps: 2000                # optimizer steps of a round
mostMinutes: 240               # a plan must set a limit of its own, and no longer one
largestUpdate: 200MB           # what a round may take from here

metrics: [loss, time, volumes, score, groups, monitors, norms]   # figures that may leave; "figures" is kept here

hours: "Mon-Fri 20:00-06:00, Sat-Sun 00:00-24:00"   # when it trains; beside those of site.yaml both must allow it
uploadLimit: 5MB               # in a second
threads: 8
devices: [cpu, gpu]            # or gpu:0 for one card
`;
