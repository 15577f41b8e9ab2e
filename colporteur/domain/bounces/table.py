"""From status, reply code and text to a reason: one table, read from the top, the first row that fits decides.

Texts come before statuses: providers say in words what their numbers only hint at (Microsoft answers 5.4.1 for an address that
does not exist, many answer 5.1.1 for what their spam filter did). What is our own fault stands before what is the mailbox's, so
that a doubt never blames a subscriber. Sources: RFC 3463, 5248, 7372, 7504, 7505 (statuses), RFC 5321 section 4.2 (codes); the
postmaster pages of the providers named.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A row fits when each of its columns that is not empty does. ``status``: like ``x.1.1``, x for any number; ``code``: like
    ``55x``; ``words``: regular expression over the text, capitals alike; ``who``: whose text it is, "" for everybody's."""

    reason: str
    status: str = ""
    code: str = ""
    words: str = ""
    who: str = ""


_MAILBOX = r"(?:mail ?box|mail ?folder|in-?box|(?:user|mail|email|e-mail)? ?account|mail ?drop|message store|recipient|user|maildir)"
_PERSON = r"(?:users?|mail ?box(?:es)?|recipients?|addresse?e?s?|(?:e-?mail )?account|alias|login|user ?(?:id|name)|person|local[ -]part|customer|subscriber|resource|login)"
_NOT = r"(?:not?|n't|n'?t be|cannot be|unable to|never)"

PROVIDERS: tuple[Row, ...] = (
    Row("incomplete", "x.6.5", "", r"^[^a-z]{0,10}copy not completed: "),  # our own words: flow.copies
    Row("suppressed", "", "", r"\(its suppression list\)|recipient address suppressed due to|address is on (?:the|a) suppression list"),  # services that send
    Row("no_domain", "", "", r"null ?mx"),  # RFC 7505; before Microsoft, who answers 5.1.10, too
    # Microsoft: Exchange Online and Outlook.com
    Row("no_mailbox", "x.4.1", "", r"recipient address rejected: access denied", "Microsoft"),
    Row("no_mailbox", "", "", r"RESOLVER\.ADR\.(?:\w*Recip\w*NotFound|InvalidInSmtp|BadPrimary)|5\.1\.10\b|#5\.1\.1\b.{0,40}RESOLVER", "Microsoft"),
    Row("full", "", "", r"STOREDRV.{0,80}(?:quota|full)|OverQuota", "Microsoft"),
    Row("disabled", "", "", r"STOREDRV.{0,80}(?:disabled|AccountDisabled)|MailboxDisabled", "Microsoft"),
    Row("size", "", "", r"RESOLVER\.RST\.\w*Size", "Microsoft"),
    Row("policy", "", "", r"RESOLVER\.(?:RST|GRP)\.\w+|TRANSPORT\.RULES|TenantAttribution|5\.7\.(?:1[23]\d|64|12|124|133|134|136)\b", "Microsoft"),
    Row("authentication", "", "", r"\b5\.7\.(?:509|515|23|26)\b", "Microsoft"),
    Row("reputation", "", "", r"\b[45]\.7\.(?:50[1-8]|51[0-3]|60[6-9]|6[1-4]\d|70[0-8]|750|850)\b"),
    Row("reputation", "", "", r"\((?:S3140|S3150|S775|S777\w*|SC-00\d|DY-00\d|OU-00\d|RP-00\d)\)", "Microsoft"),
    Row("their_trouble", "", "", r"\bhop count exceeded|ATTR\d+.{0,30}loop|5\.4\.14\b", "Microsoft"),
    # Google
    Row("authentication", "", "", r"5\.7\.(?:26|27|30)\b|unauthenticated e?-?mail|to pass authentication"),
    Row("authentication", "", "", r"this mail (?:is|has been) (?:un)?authenticated", "Gmail"),
    Row("reputation", "", "", r"likely unsolicited mail|suspicious due to the|UnsolicitedMessageError|UnsolicitedIPError"),
    Row("reputation", "", "", r"low reputation of the sending", "Gmail"),
    Row("rate", "", "", r"unusual rate of|daily (?:user )?sending (?:quota|limit)|UnsolicitedRateLimitError", "Gmail"),
    Row("later", "", "", r"receiving mail (?:at a rate|too quickly)|ReceivingRate", "Gmail"),
    Row("virus", "", "", r"presents a potential security issue|BlockedMessage|blocked because its content", "Gmail"),
    Row("full", "", "", r"OverQuota(?:Perm|Temp)|out of storage space|(?:their|recipient) inbox (?:is )?full", "Gmail"),
    Row("disabled", "", "", r"DisabledUser|account that you tried to reach is (?:disabled|inactive)", "Gmail"),
    Row("no_mailbox", "", "", r"NoSuchUser|account that you tried to reach does not exist", "Gmail"),
    # Yahoo, AOL
    Row("reputation", "", "", r"\[(?:TSS?\d+|BL2\d|IPTS\d+|GL\d+)\]|\bPH01\b|temporarily deferred due to (?:user complaints|unexpected volume)|RLY:\w\d"),
    Row("reputation", "", "", r"DYN:T1|RTR:\w+", "Yahoo"),
    Row("policy", "5.7.9", "", r"message not accepted for policy reasons", "Yahoo"),
    Row("full", "", "", r"delivery error: dd .{0,80}(?:over quota|mailbox (?:is )?full)|RLY:QT", "Yahoo"),
    Row("disabled", "", "", r"mailbox is disabled \(554\.30\)|account has been disabled or discontinued|\[#10\d\]"),
    Row("disabled", "", "", r"user account is (?:disabled|inactive)", "Yahoo"),
    Row("no_mailbox", "", "", r"delivery error: dd (?:this user doesn't have|not a valid recipient|sorry, your message)|doesn't have an? \S* ?account"),
    Row("no_mailbox", "", "", r"not a valid recipient", "Yahoo"),
    # Orange (OFR), La Poste (LPN) and others behind the same filter
    Row("no_mailbox", "", "", r"\b(?:OFR|LPN)\w*_416\b|adresse d.? ?au moins un destinataire invalide", "Orange, La Poste"),
    Row("full", "", "", r"\b(?:OFR|LPN)\w*_417\b|bo[iî]te du destinataire pleine|recipient overquota", "Orange, La Poste"),
    Row("disabled", "", "", r"\b(?:OFR|LPN)\w*_(?:418|419)\b", "Orange, La Poste"),
    Row("sender_address", "", "", r"\b(?:OFR|LPN)\w*_105\b|[ée]metteur invalide|invalid sender\.", "Orange, La Poste"),
    Row("content", "", "", r"\b(?:OFR|LPN)\w*_50[67]\b|mail rejet[ée]|spam d[ée]tect[ée]", "Orange, La Poste"),
    Row("authentication", "", "", r"\b(?:OFR|LPN)\w*_51\d\b.{0,80}(?:dmarc|spf|dkim)", "Orange, La Poste"),
    Row("rate", "", "", r"\b(?:OFR|LPN)\w*_104\b|trop de connexions", "Orange, La Poste"),
    Row("reputation", "", "", r"\b(?:OFR|LPN)\w*_?\d{3}\b|service refus[ée]|adresse ip source bloqu[ée]e", "Orange, La Poste"),
    # Free
    Row("reputation", "", "", r"too many spams? from your ip|postmaster\.free\.fr", "Free"),
    Row("disabled", "", "", r"blocked due to inactivity|bloqu[ée]e? pour inactivit[ée]", "Free"),
    # SFR, Bouygues, OVH
    Row("reputation", "", "", r"postmaster\.sfr\.fr|\bSFR\w*_\d{3}|(?:blocked|bloqu[ée]e?) .{0,30}\bsfr\b|spam\.ovh|antispam@ovh"),
    Row("reputation", "", "", r"ovh\.\w+/.{0,20}spam", "SFR, OVH"),
    Row("disabled", "", "", r"mailbox (?:is )?(?:blocked|suspended) .{0,40}ovh|this (?:mailbox|account) has been (?:suspended|blocked)", "OVH"),
    # Mail.ru
    Row("no_mailbox", "", "", r"not accepted -- invalid mailbox", "Mail.ru"),
    # GMX, web.de, 1&1, T-Online
    Row("reputation", "", "", r"postmaster\.(?:gmx|web|1und1|1and1|ionos)\.\w+|No SMTP service|A problem occurred\. \(?Ask your postmaster"),
    Row("reputation", "", "", r"tosa@rx\.t-online", "GMX, T-Online"),
    # Apple, Comcast, Cox, Proofpoint, Cloudmark, Mimecast
    Row("reputation", "", "", r"\[(?:CS|HM|HME?)\d+\]|\b(?:BL0000\d\d|CXBL|CXSNDR|RL0000\d\d|PR0{2}\d+|TL-\w+)\b|ipcheck\.proofpoint|csi\.cloudmark"),
    Row("reputation", "", "", r"ipremoval|postmaster\.comcast", "Apple, Comcast, Cox"),
    Row("authentication", "", "", r"anti-?spoofing", "Mimecast"),
)

WORDS: tuple[Row, ...] = (
    # Ours: who we are
    Row("authentication", "", "", r"\b(?:dmarc|dkim|spf)\b|sender policy framework|authentication[- ]results|not authenticated|message authentication"),
    Row("authentication", "", "", r"(?:reverse (?:dns|lookup|host ?name)|\brdns\b|\bptr\b|(?:cannot|can't|could not) (?:find|resolve) your|client host rejected: cannot find)"),
    Row("reputation", "", "", r"spamhaus|spamcop|sorbs|uceprotect|abusix|barracuda|invaluement|senderscore|sender ?base"),
    Row("reputation", "", "", r"\b(?:dnsbl|dnswl|rbl|drbl|mapsrbl|surbl|zen|njabl|ordb|dul)\b"),
    Row("reputation", "", "", r"(?:block|black|deny|drop|reject)[ -]?list|black ?hole|\breputation\b|\bbanned\b|dynamic(?:ally assigned)? (?:ip|address)"),
    Row("reputation", "", "", r"dial-?up|open (?:relay|proxy)"),
    Row("reputation", "", "", r"\b(?:ip|ip address|client(?: host)?|sending (?:host|server|mta)|your (?:\w+ )?(?:host|server|ip|network|system|mta)|sender's (?:ip|server))\b.{0,40}\b"
        r"(?:blocked|blacklisted|listed|refused|rejected|denied|not allowed)\b"),
    Row("reputation", "", "", r"unsolicited (?:bulk )?(?:e-?mail|message)s? .{0,40}(?:from|originat)|(?:poor|bad|low) .{0,20}(?:reputation|score)"),
    Row("reputation", "", "", r"blocked .{0,30}(?:your ip|\bip\b)|user complaints"),
    Row("full", "", "", r"(?:disk|mail ?box|storage|inbox|user's)(?: \w+)? quota|(?:mail ?box|inbox|mailfolder) (?:is )?full|over ?quota|(?<!sending )(?<!daily )(?<!hourly )quota exceeded"),
    Row("rate", "", "", r"too many (?:connections|messages|mails|e-?mails|recipients|sessions|concurrent|requests|errors|invalid)|rate[- ]limit|throttl"),
    Row("rate", "", "", r"too (?:fast|quickly|much mail)"),
    Row("rate", "", "", r"(?:exceeded|reached|over) .{0,40}(?:rate|(?:sending|message|hourly|daily|connection|send) (?:rate|limit|quota))"),
    Row("rate", "", "", r"(?:message|sending|connection) (?:rate|frequency)|zu viele (?:e-?mails|verbindungen)"),
    Row("greylisted", "", "", r"gr[ea]y[ -]?list|postgrey|try again in \d+|please (?:try|retry) (?:again )?(?:in|after) \d+"),
    Row("greylisted", "", "", r"first (?:time|attempt) .{0,40}(?:sender|triplet)"),
    # Ours: what we send
    Row("virus", "", "", r"\bvirus|malware|infected|trojan|\bworm\b|phish|dangerous"),
    Row("virus", "", "", r"(?:prohibited|forbidden|illegal|banned|blocked|disallowed|executable) (?:file|attach|extension|content)"),
    Row("virus", "", "", r"attachment.{0,40}(?:not (?:allowed|permitted|accepted)|prohibited|blocked)"),
    Row("content", "", "", r"\bspam(?:my|ming)?\b|\bunsolicited\b|\bubc?e\b|\bjunk ?mail|pourriel|ind[ée]sirable|score .{0,20}(?:exceed|too high)|bayes"),
    Row("content", "", "", r"correo no deseado|unerw[üu]nscht|posta indesiderata"),
    Row("content", "", "", r"(?:content|body|subject|headers?|url|link|message) .{0,50}(?:reject|block|refus|not (?:accept|allow|permit)|prohibit|filter|disallow|denied|violat)"),
    Row("content", "", "", r"content (?:filter|restrict|policy)|pattern match|(?:message|mail) (?:was )?(?:filtered|quarantined)"),
    Row("size", "", "", r"(?:message|mail|size|file|body|data|attachments?)\b.{0,40}(?:too (?:large|big)|exceeds?\b.{0,40}(?:size|max|limit|fixed|administrat))"),
    Row("size", "", "", r"(?:maximum|max) (?:message|mail|allowed) size|message (?:length|size) (?:limit|exceed)|message header size"),
    Row("size", "", "", r"exceeds? (?:the )?(?:maximum|size|fixed)|larger than .{0,40}(?:limit|allowed|maximum|current)|trop (?:gros|volumineu|grand)"),
    Row("size", "", "", r"zu gro(?:ß|ss)|demasiado grande|troppo grande|te groot"),
    Row("their_trouble", "", "", r"(?:mail|message)? ?(?:forwarding )?loop(?:ing|s)?\b|routing loop|loops? back|too many hops|hop ?count|possible loop|lowest numbered mx"),
    # The mailbox: full (before the sender's "quota" above could be meant)
    Row("full", "", "", rf"{_MAILBOX}\b.{{0,60}}\b(?:full|exceed\w*|over ?-?quota|quota|exhausted|(?:is|has) reached|out of (?:disk )?space|insufficient|too much mail|over (?:the |its |his |their )?(?:size|limit|allocat|storage))"),
    Row("full", "", "", r"over[- ]?(?:the )?(?:disk[- ]?)?quota|quota.{0,30}(?:exceed|full|violat|reached|exhaust|over|limit)|exceed\w*.{0,40}quota"),
    Row("full", "", "", r"quota[- ]exceeded|disk[- ]?quota|(?:storage|disk|mailbox) (?:space|limit).{0,30}(?:exceed|exhaust|reached|full)"),
    Row("full", "", "", r"full mailbox|mailbox[- ]?full|not enough (?:storage|space|room|disk) .{0,40}(?:mail|user|recipient)|has too (?:much|many) mails?"),
    Row("full", "", "", r"bo[iî]te .{0,50}(?:pleine|satur[ée]e)|quota d[ée]pass[ée]|espace .{0,40}insuffisant"),
    Row("full", "", "", r"(?:postfach|speicher\w*|posteingang|mailbox).{0,50}(?:voll|ersch[öo]pft|[üu]berschritten)|buz[óo]n.{0,50}llen[oa]"),
    Row("full", "", "", r"cuota.{0,30}(?:excedid|superad)|casella.{0,50}piena|spazio.{0,30}esaurito|(?:postvak|mailbox|postbus).{0,40}\bvol\b"),
    Row("full", "", "", r"caixa.{0,50}(?:cheia|lotada)"),
    # The mailbox: switched off
    Row("disabled", "", "", rf"{_MAILBOX}\b(?! (?:address )?(?:name|rejected)).{{0,60}}\b(?:disabled|in-?active|suspended|de-?activated|locked|frozen|dormant|not (?:been )?activ\w*|discontinued|on hold|not enabled|barred|expired|blocked due to)\b"),
    Row("disabled", "", "", r"(?:disabled|in-?active|suspended|de-?activated|locked|frozen|expired|closed) (?:recipient|user|mail ?box|(?:e-?mail )?(?:account|address))"),
    Row("disabled", "", "", r"(?:account|mailbox|address) (?:has been |is |was |now )*(?:closed|terminated|cancell?ed|removed)"),
    Row("disabled", "", "", r"(?:compte|bo[iî]te|adresse|utilisateur).{0,50}(?:d[ée]sactiv|suspendu|ferm[ée]e?\b|inacti[fv]|bloqu[ée]e?\b|r[ée]sili)"),
    Row("disabled", "", "", r"(?:konto|postfach|benutzer|mailbox).{0,50}(?:deaktiviert|gesperrt|inaktiv|stillgelegt)"),
    Row("disabled", "", "", r"(?:cuenta|buz[óo]n|usuario).{0,50}(?:deshabilitad|suspendid|inactiv|desactivad|bloquead)"),
    Row("disabled", "", "", r"(?:casella|account|utente).{0,50}(?:disabilitat|sospes|disattivat|bloccat|non attiv)"),
    Row("disabled", "", "", r"(?:conta|caixa).{0,50}(?:desativad|suspens|inativ|bloquead)"),
    # The address
    Row("moved", "", "", r"(?:has|have|user|recipient|i) (?:has |have )?(?:moved|changed (?:his|her|their|my|e-?mail|address))"),
    Row("moved", "", "", r"no longer (?:employed|works?|working|with (?:the|this|us)|at (?:this|the|our))|has left (?:the|this|our)"),
    Row("moved", "", "", r"(?:new|forwarding) (?:e-?mail )?address is|change of address|ne travaille plus|a quitt[ée] "),
    Row("policy", "", "", r"(?:recipient|user|address) (?:address )?rejected: (?:access denied|policy|not (?:allowed|permitted)|rejected by)"),
    Row("policy", "", "", r"blocked (?:this|the|your|by (?:the )?(?:user|recipient))"),
    Row("policy", "", "", r"(?:recipient|user|customer) .{0,40}(?:does not|doesn't|not|refuse\w*|only) .{0,30}(?:accept\w*|allow\w*|receiv\w*|want) .{0,40}(?:from|sender|mail\b)"),
    Row("sender_address", "", "", r"sender (?:e-?mail )?(?:address )?(?:is |was )?(?:rejected|denied|invalid|unknown|refused|verif\w+ fail\w*|not (?:exist|valid|verif|allow|permit|accept|authori)\w*|blocked|domain)"),
    Row("sender_address", "", "", r"(?:bad|invalid|unknown|unverified|forged|illegal) (?:sender|return|from|originat)|\bsender(?:'s)? domain"),
    Row("sender_address", "", "", r"domain of (?:the )?sender|mail from (?:command )?(?:rejected|denied|not|refused)|return[- ]?path"),
    Row("sender_address", "", "", r"could not verify sender|senders? (?:is |are )?not (?:allowed|authori[sz]ed|permitted)"),
    Row("not_here", "", "", r"relay(?:ing|ed)?\b.{0,50}(?:denied|not (?:allowed|permitted|authori[sz]ed)|prohibited|rejected|disabled|refused|forbidden|restrict)"),
    Row("not_here", "", "", r"(?:unable|not permitted|refuse[sd]?|won't|will not|cannot|can't|do not|don't|not allowed|not authori[sz]ed) to? ?relay"),
    Row("not_here", "", "", r"relay access|not a (?:mail )?gateway|isn't in my (?:list of allowed )?(?:rcpthosts|control)|rcpthosts"),
    Row("not_here", "", "", r"not (?:a )?local (?:domain|host)|we do not relay|no relaying"),
    Row("unreachable", "", "", r"(?:not found|error|failure|unknown)\b.{0,90}\btry again"),
    Row("no_domain", "", "", r"null ?mx|does not accept mail|do(?:es)? ?n[o']t (?:accept|receive) (?:e-?)?mail|nxdomain"),
    Row("no_domain", "", "", r"\b(?:host|domain|destination)(?: or domain)?(?: name)?(?: [^\s:;]+)?(?: (?:is|was|does|do|could|can|has))? "
        r"(?:not (?:be )?(?:found|known|resolved|exist|valid)|n[o']t (?:exist|resolve)|unknown(?! (?:user|recipient|address|local))|invalid|non-?existent|does ?n[o']t (?:exist|resolve))"),
    Row("no_domain", "", "", r"unknown (?:host|domain|destination host)|no such (?:host|domain)|bad (?:host|domain|destination system)"),
    Row("no_domain", "", "", r"unroute?able (?:mail )?domain|name (?:or )?service (?:not known|error)(?!.{0,90}try again)"),
    Row("no_domain", "", "", r"no (?:valid )?(?:mx|mail exchanger|a) (?:record|host|for)|all relevant mx records point to non-existent"),
    Row("no_domain", "", "", r"no mail (?:server|host)s? for|couldn't find any host|cannot find .{0,30}(?:host|domain|mx)"),
    Row("no_domain", "", "", r"domaine .{0,40}(?:inexistant|inconnu|introuvable|n'existe)|hôte inconnu"),
    Row("no_domain", "", "", r"dns (?:lookup|resolution) (?:failure|failed): ?(?:nxdomain|no such)"),
    Row("no_mailbox", "", "", rf"unknown(?: or (?:illegal|invalid|disabled))? (?:{_PERSON}|local|to|virtual|login)"),
    Row("no_mailbox", "", "", rf"{_PERSON}(?: \S+){{0,3}} (?:is |are |was )?(?:currently )?unknown|unknown in (?:\w+ )?(?:\w+ )?table"),
    Row("no_mailbox", "", "", rf"no such (?:\w+ )?(?:{_PERSON}|id|name|here|local)|nosuchuser|user_?unknown|recipient_?not_?found"),
    Row("no_mailbox", "", "", rf"{_PERSON}\b.{{0,50}}\b(?:is |are |was |were |could |does |do |did |has |have )?{_NOT} ?(?:a |be |been |an? )?(?:currently )?(?:found|exist\w*|known|recogni[sz]ed|listed|valid|here|local|registered|defined|in (?:our|the|my|this)|on this|our customer|handled|a (?:valid|known|local)|match|identified|correct|resolv\w+|configured|hosted|deliverable|lookup|look up)"),
    Row("no_mailbox", "", "", rf"(?:invalid|illegal|non-?existent|bad|incorrect|wrong|undeliverable|ambiguous|obsolete|dead) (?:destination |final delivery |e-?mail |mail |local |final )*(?:{_PERSON}|part|names?)"),
    Row("no_mailbox", "", "", rf"{_PERSON}(?: \S+){{0,2}} (?:is )?(?:invalid|non-?existent|incorrect|undeliverable|disallowed)"),
    Row("no_mailbox", "", "", rf"not (?:a )?(?:\w+ )?(?:valid|known|legal|local|existing|active) (?:\w+ )?{_PERSON}"),
    Row("no_mailbox", "", "", r"(?:ユーザ|宛先|あて先|アドレス|メールボックス).{0,40}(?:見つかりません|存在しません|不明|ありません)|用户不存在|不存在|no valid recipient"),
    Row("no_mailbox", "", "", r"not listed in|mailbox (?:name )?(?:unavailable|not available|not found|not allowed|is unavailable)"),
    Row("no_mailbox", "", "", rf"no (?:\w+ )?{_PERSON} (?:here|by that|with|found|exists|at|of|on|name)|not our customer|unroute?able address"),
    Row("no_mailbox", "", "", r"no longer (?:valid|in use|available|active|exists?|on (?:this|our|the) (?:server|system)|accept|a valid|monitored)"),
    Row("no_mailbox", "", "", r"user lookup success but|doesn't have (?:an? )?.{0,60}account"),
    Row("no_mailbox", "", "", r"does ?n[o']t (?:like|handle|know|recogni[sz]e) (?:the )?recipient|no account|account (?:not available|does)"),
    Row("no_mailbox", "", "", r"cannot find user|can't find user|who are you|never heard of|he/her is not|non conosciut"),
    Row("no_mailbox", "", "", r"(?:destinataire|utilisateur|adresse|bo[iî]te|compte|correspondant).{0,80}(?:inconnu|invalide|introuvable|inexistant|n'existe|non recens|n'a pas [ée]t[ée] trouv|n'est pas (?:valide|connu))"),
    Row("no_mailbox", "", "", r"n'existe pas"),
    Row("no_mailbox", "", "", r"(?:benutzer|empf[äa]nger|adresse|postfach|konto|teilnehmer|mailbox).{0,80}(?:unbekannt|existiert nicht|nicht gefunden|ung[üu]ltig|nicht bekannt|nicht vorhanden|gibt es nicht|kein(?:e)? )"),
    Row("no_mailbox", "", "", r"(?:usuario|destinatario|direcci[óo]n|buz[óo]n|cuenta).{0,80}(?:desconocid|no existe|no (?:se )?(?:ha )?(?:podido )?encontr|inv[áa]lid|inexistent|no v[áa]lid)"),
    Row("no_mailbox", "", "", r"(?:utente|destinatario|indirizzo|casella).{0,80}(?:sconosciut|inesistent|non (?:esiste|trovat|valid|[èe] (?:stato )?trovat)|errat)"),
    Row("no_mailbox", "", "", r"(?:gebruiker|ontvanger|adres|postbus|mailbox).{0,80}(?:onbekend|bestaat niet|niet gevonden|ongeldig)"),
    Row("no_mailbox", "", "", r"onbekende? (?:gebruiker|ontvanger|adres)"),
    Row("no_mailbox", "", "", r"(?:utilizador|usu[áa]rio|destinat[áa]rio|endere[çc]o|caixa|conta).{0,80}(?:desconhecid|n[ãa]o (?:existe|encontrad|foi encontrad|v[áa]lid)|inv[áa]lid|inexistent)"),
    # On the way
    Row("their_trouble", "", "", r"mx list .{0,40}point"),
    Row("unreachable", "", "", r"(?:connection|connect|session|operation|read|network|conversation|handshake|smtp|server|socket).{0,40}(?:timed[ -]?out|time-?out|refused|reset|failed|lost|dropped|closed|died|broken|aborted|unreachable)"),
    Row("unreachable", "", "", r"could ?n[o']t (?:connect|be contacted|establish|be reached)"),
    Row("unreachable", "", "", r"(?:unable|failed|cannot|can't|couldn't) (?:to )?(?:connect|contact|establish|reach|open)"),
    Row("unreachable", "", "", r"\btimed out\b|no route to host|(?:host|network|server) (?:is )?(?:down|unreachable|unavailable|busy)|lost connection"),
    Row("unreachable", "", "", r"(?:not|isn't|didn't|no) (?:respond|response|answer)\w*|name (?:service|server)|dns .{0,30}(?:fail|error|problem|timeout)"),
    Row("unreachable", "", "", r"host not found, try again|(?:starttls|tls|ssl)\b.{0,60}(?:fail|error|unavailable|required|not available)|hostname lookup"),
    Row("unreachable", "", "", r"server unavailable"),
    Row("expired", "", "", r"(?:retry|delivery|queue|maximum|max|message)\b.{0,30}(?:time|period|lifetime|attempts).{0,30}(?:exceeded|expired|reached|elapsed)"),
    Row("expired", "", "", r"expired|in (?:the )?queue (?:too|for more)|too long|too old|giv(?:en|ing|e) up after|(?:after|failed) \d+ (?:days?|hours?|attempts?)|maximum (?:delivery )?attempts"),
    Row("expired", "", "", r"could not be delivered for|undeliverable for|retry timeout|message timed"),
    Row("their_trouble", "", "", r"(?:internal|system|server|local|temporary|configuration|software|i/o|disk|database|ldap|lookup) (?:server |configuration |system |delivery )?(?:error|problem|failure|fault)"),
    Row("their_trouble", "", "", r"misconfigur|out of (?:memory|disk)|(?:insufficient|not enough) (?:system )?(?:storage|resources|disk|memory|space)"),
    Row("their_trouble", "", "", r"command (?:died|failed|output|time)|mailer error|can(?:'t|not) (?:create|open|write|lock|append)|permission denied"),
    Row("their_trouble", "", "", r"temporar\w+ (?:unavailable|failure|error|problem|lookup)"),
    Row("their_trouble", "", "", r"service (?:is )?(?:currently |temporarily )?(?:unavailable|not available)|bad (?:file|config)|processing error"),
    Row("their_trouble", "", "", r"resources temporarily"),
    # A rule of somebody's
    Row("policy", "", "", r"not accepting (?:e-?)?mail from|\bpolic(?:y|ies)\b|administrat\w* prohib|prohibited|access (?:is )?denied"),
    Row("policy", "", "", r"not (?:authori[sz]ed|allowed|permitted|accepted|wanted)|unauthori[sz]ed|permission|restricted|members? only"),
    Row("policy", "", "", r"closed (?:list|group)"),
    Row("policy", "", "", r"(?:your|this|the) (?:mail|message|e-?mail|sender|domain|address) .{0,40}(?:refused|rejected|blocked|denied|declined)"),
    Row("policy", "", "", r"(?:refused|rejected|blocked|denied) (?:by|for|due|because|at|your|from|mail)|transport rules?|\brules?\b|security|blocked"),
    Row("policy", "", "", r"content rejected|authentication (?:is )?required|message (?:refused|rejected|declined|denied)|mail refused|rejet[ée]"),
    Row("policy", "", "", r"refus[ée]e?\b|abgelehnt|verweigert|rechazad|rifiutat|geweigerd|rejeitad|challenge|verify your"),
    Row("format", "", "", r"(?:8-?bit|smtputf8|mime|utf-?8|encoding|line (?:too long|length)|bare (?:lf|cr)|null (?:byte|character)|syntax error|malformed|(?:missing|no) (?:date|from|resent-from|message-?id|header)|(?:bad|invalid|duplicate|multiple) (?:header|date|message-id|from)|rfc ?(?:2?822|5322|5321)|conversion)"),
)

NUMBERS: tuple[Row, ...] = (
    Row("no_mailbox", "x.1.1"),
    Row("no_domain", "x.1.2"),
    Row("no_mailbox", "x.1.3"),
    Row("moved", "x.1.6"),
    Row("sender_address", "x.1.7"),
    Row("sender_address", "x.1.8"),
    Row("no_domain", "x.1.10"),
    Row("disabled", "x.2.1"),
    Row("full", "x.2.2"),
    Row("size", "x.2.3"),
    Row("their_trouble", "x.2.4"),
    Row("size", "x.3.4"),
    Row("their_trouble", "x.3.x"),
    Row("rate", "x.4.5"),
    Row("their_trouble", "x.4.6"),
    Row("expired", "x.4.7"),
    Row("unreachable", "x.4.x"),
    Row("rate", "x.5.3"),
    Row("format", "x.5.x"),
    Row("format", "x.6.x"),
    Row("moved", "x.7.17"),
    Row("moved", "x.7.18"),
    *(Row("authentication", f"x.7.{last}") for last in range(20, 30)),
    Row("policy", "x.7.x"),
    Row("no_mailbox", "", "551"),
    Row("no_domain", "", "521"),
    Row("no_domain", "", "556"),
)

TABLE: tuple[Row, ...] = PROVIDERS + WORDS + NUMBERS
