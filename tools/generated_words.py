"""The vocabulary of generated repositories."""

from __future__ import annotations

_AREAS = """
api backend billing cli core engine frontend infra internal lib ops pkg platform services shared src storage web
workers
"""

_VERBS = """
accept acquire add align allocate append apply archive arrange assign attach audit authorize balance batch bind block
book bootstrap broadcast buffer build bump cache calculate cancel capture charge check claim classify clean clear
clone close collapse collect combine commit compact compare compile compose compress compute configure confirm connect
consume convert copy count create decode decrease decrypt defer define delete deliver deny derive describe detach
detect dispatch display drain drop dump emit enable encode encrypt enqueue ensure enter escape estimate evaluate evict
execute expand expire explain export extend extract fail fetch fill filter find finish flatten flush fold follow
forget format forward freeze generate get grant group guard handle hash hide hold ignore import include increase index
infer inherit inspect install invoke issue join keep label launch limit link list load locate lock log lookup maintain
map mark mask match measure merge migrate mirror move negotiate normalize notify observe open order pack parse
partition pause persist pick pin poll populate post prefetch prepare print probe process promote propagate prune
publish pull purge push query quote rank read rebase rebuild receive recover redirect reduce refresh refund register
reject release reload remove rename render renew reorder repair replace replay report request require reschedule
reserve reset resize resolve restore resume retain retry return reuse revert revoke rewrite rollback rotate route run
sample sanitize save scale scan schedule score search seed select send serialize serve set settle shrink sign skip
slice sort split stage start stop store stream strip submit subscribe suspend swap sync tag test throttle tokenize
touch trace track transfer transform translate traverse trim truncate unlock unpack update upgrade upload validate
verify visit wait wake walk warm watch withdraw wrap write
"""

_NOUNS = """
account action adapter address agent alarm alert alias amount anchor annotation answer archive argument array article
asset attachment attempt attribute auction author backlog backup badge balance banner barrier basket batch bearer
benchmark bill binding block board body bonus border bottle branch bridge broker browser bucket budget buffer bundle
button cache calendar callback campaign candidate canvas capability capacity card cargo cart catalog category cell
certificate chain channel charge chart checkpoint checksum child circle claim class clause client clock closure
cluster code cohort collection column command comment commit company condition config conflict connection consent
constant constraint consumer contact container content context contract controller cookie coordinate copy counter
country coupon course credential credit crop currency cursor curve customer cycle dashboard database dataset deadline
debt decision default delivery delta dependency deposit depth descriptor detail device diagram dialog dictionary
difference digest dimension directory discount dispatcher document domain download draft driver duration edge edition
editor element email employee endpoint engine entity entry envelope environment episode epoch error estimate event
exception exchange executor expense expression extension factor factory feature feed fence field figure file filter
finding fingerprint firewall fixture flag fleet flow folder follower font forecast form format fraction fragment frame
frequency function future gallery gateway gauge geometry glyph goal grammar grant graph grid group guard guest guide
handle handler hash header heap height hint history holder hook host hour icon identity image import incident index
inbox ingredient input insight instance instruction insurance interest interval inventory invitation invoice issue
item iterator job journal journey kernel key label lane language latency layer layout leader lease ledger legend
length lesson letter level library license limit line link list listener loader loan location lock log loop machine
mailbox manifest map margin marker market mask matrix measure media meeting member memory menu merchant merge message
meter method metric migration minute mirror mission mode model module moment monitor month mutation name namespace
network node note notice number object observer offer offset operation operator option order organization origin
outbox outcome output overlay owner package packet page paint panel parameter parcel parent parser partition partner
password patch path patient pattern payload payment payout peer pension percentage period permission person phase
phone picture pipeline pixel plan platform player plugin pointer policy poll pool port portfolio position post
preference premium prescription preview price priority probe process product profile profit program progress project
promise property proposal protocol provider proxy publisher purchase quality quantity quarter query question queue
quota quote rack radius range rank rate ratio reader receipt recipe record recovery region registry release remainder
reminder remote repair replica reply report repository request reservation resolver resource response restaurant
result retry return revenue review revision reward role room root route router row rule salary sample scale scanner
scene schedule schema scope score screen script search season seat secret section sector segment selection semaphore
sender sensor sentence sequence series server service session setting severity shadow shape shard sheet shelf shift
shipment signal signature site size slice slot snapshot socket source space span speaker spec speed sprite stack stage
statement station status step stock storage store stream street string student style subject subscription suffix
summary supplier survey symbol system table tag target task tax team template tenant term terminal test text theme
thread threshold ticket tile timeline timer title token tolerance tool topic total trace track trade traffic
transaction transfer transition tree trial trigger trip truck tunnel tuple unit update upload usage user vacancy
validator value variable variant vector vehicle vendor version vertex video view village visit visitor voice volume
vote voucher wallet warehouse warning watcher weather weight wheel width window winner wire word worker workflow
workspace wrapper writer year zone
"""

_ADJECTIVES = """
absent active actual adjacent allowed annual approved available average backward basic binary blank broken cached
canonical central cheap clean closed cold common compact complete composite concurrent confirmed constant corrupt
current custom daily dead declared deep default deferred delayed deleted dense direct dirty distant double draft due
duplicate durable dynamic eager early effective eligible empty encoded encrypted equal exact expected expired explicit
external failed fallback fast final first fixed flat foreign frozen full global hidden hot idle ignored immutable
implicit incoming initial inner internal invalid joint known large last late latest lazy leading legacy linear live
local locked logical lost manual mapped maximum median merged minimum missing mixed modified monthly native nested
next nominal normal null numeric obsolete offline old online open optional ordered orphaned outer outgoing overdue
paid parallel partial past peak pending permanent physical pinned plain planned previous primary prior private proper
public quick random rare raw ready recent recursive redundant regional regular related relative remote required
reserved rolling safe scoped secondary secure selected shared short signed silent simple single slow small sorted
sparse special stable stale static sticky strict strong suspended synthetic temporary top total trusted unique unknown
unread unsigned unused upper urgent valid verified virtual visible volatile waiting warm weak weekly whole wide
"""

AREAS = tuple(_AREAS.split())
VERBS = tuple(_VERBS.split())
NOUNS = tuple(_NOUNS.split())
ADJECTIVES = tuple(_ADJECTIVES.split())

SENTENCES = (
    "%(verb)s the %(adjective)s %(noun)s of a %(other)s before it is closed",
    "Returns the %(noun)s whose %(other)s is %(adjective)s, or nothing at all",
    "a %(noun)s that was %(adjective)s for more than %(number)d seconds counts as lost",
    "only the %(adjective)s %(noun)s may %(verb)s its own %(other)s",
    "The %(other)s must not be %(adjective)s while the %(noun)s is open",
    "%(verb)s every %(noun)s once, in the order of its %(other)s",
    "at most %(number)d of them, since a %(noun)s holds one %(other)s each",
    "Without a %(adjective)s %(noun)s we %(verb)s the %(other)s again after %(number)d ms",
    "keeps the %(noun)s together with its %(adjective)s %(other)s",
    "see the %(other)s: it is %(adjective)s whenever the %(noun)s cannot %(verb)s",
    "Tells whether the %(noun)s has an %(adjective)s %(other)s left to %(verb)s",
    "falls back to the %(adjective)s %(noun)s when %(other)s and limit differ by %(number)d",
    "this is where the %(noun)s meets the %(other)s; both are %(adjective)s by then",
    "Raises an error if the %(noun)s to %(verb)s is %(adjective)s",
)
