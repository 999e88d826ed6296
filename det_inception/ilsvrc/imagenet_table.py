"""The table behind :mod:`det_inception.ilsvrc.imagenet`, and nothing else.

One line an output of an ImageNet-1k classifier, in their order: WordNet id, id of the DET class that it belongs to
(0: none), name.
"""

TABLE = """
n01440764 0 tench
n01443537 75 goldfish
n01484850 0 great white shark
n01491361 0 tiger shark
n01494475 0 hammerhead
n01496331 143 electric ray
n01498041 143 stingray
n01514668 26 cock
n01514859 26 hen
n01518878 26 ostrich
n01530575 26 brambling
n01531178 26 goldfinch
n01532829 26 house finch
n01534433 26 junco
n01537544 26 indigo bunting
n01558993 26 robin
n01560419 26 bulbul
n01580077 26 jay
n01582220 26 magpie
n01592084 26 chickadee
n01601694 26 water ouzel
n01608432 26 kite
n01614925 26 bald eagle
n01616318 26 vulture
n01622779 26 great gray owl
n01629819 0 European fire salamander
n01630670 0 common newt
n01631663 0 eft
n01632458 0 spotted salamander
n01632777 0 axolotl
n01641577 72 bullfrog
n01644373 72 tree frog
n01644900 72 tailed frog
n01664065 188 loggerhead
n01665541 188 leatherback turtle
n01667114 188 mud turtle
n01667778 188 terrapin
n01669191 188 box turtle
n01675722 105 banded gecko
n01677366 105 common iguana
n01682714 105 American chameleon
n01685808 105 whiptail
n01687978 105 agama
n01688243 105 frilled lizard
n01689811 105 alligator lizard
n01692333 105 Gila monster
n01693334 105 green lizard
n01694178 105 African chameleon
n01695060 105 Komodo dragon
n01697457 0 African crocodile
n01698640 0 American alligator
n01704323 0 triceratops
n01728572 159 thunder snake
n01728920 159 ringneck snake
n01729322 159 hognose snake
n01729977 159 green snake
n01734418 159 king snake
n01735189 159 garter snake
n01737021 159 water snake
n01739381 159 vine snake
n01740131 159 night snake
n01742172 159 boa constrictor
n01744401 159 rock python
n01748264 159 Indian cobra
n01749939 159 green mamba
n01751748 159 sea snake
n01753488 159 horned viper
n01755581 159 diamondback
n01756291 159 sidewinder
n01768244 0 trilobite
n01770081 0 harvestman
n01770393 152 scorpion
n01773157 0 black and gold garden spider
n01773549 0 barn spider
n01773797 0 garden spider
n01774384 0 black widow
n01774750 0 tarantula
n01775062 0 wolf spider
n01776313 180 tick
n01784675 41 centipede
n01795545 26 black grouse
n01796340 26 ptarmigan
n01797886 26 ruffed grouse
n01798484 26 prairie chicken
n01806143 26 peacock
n01806567 26 quail
n01807496 26 partridge
n01817953 26 African gray
n01818515 26 macaw
n01819313 26 sulphur-crested cockatoo
n01820546 26 lorikeet
n01824575 26 coucal
n01828970 26 bee eater
n01829413 26 hornbill
n01833805 26 hummingbird
n01843065 26 jacamar
n01843383 26 toucan
n01847000 26 drake
n01855032 26 red-breasted merganser
n01855672 26 goose
n01860187 26 black swan
n01871265 0 tusker
n01872401 0 echidna
n01873310 0 platypus
n01877812 0 wallaby
n01882714 97 koala
n01883070 0 wombat
n01910747 96 jellyfish
n01914609 0 sea anemone
n01917289 0 brain coral
n01924916 0 flatworm
n01930112 0 nematode
n01943899 0 conch
n01944390 158 snail
n01945685 0 slug
n01950731 0 sea slug
n01955084 0 chiton
n01968897 0 chambered nautilus
n01978287 0 Dungeness crab
n01978455 0 rock crab
n01980166 0 fiddler crab
n01981276 0 king crab
n01983481 106 American lobster
n01984695 106 spiny lobster
n01985128 0 crayfish
n01986214 0 hermit crab
n01990800 95 isopod
n02002556 26 white stork
n02002724 26 black stork
n02006656 26 spoonbill
n02007558 26 flamingo
n02009229 26 little blue heron
n02009912 26 American egret
n02011460 26 bittern
n02012849 26 crane (bird)
n02013706 26 limpkin
n02017213 26 European gallinule
n02018207 26 American coot
n02018795 26 bustard
n02025239 26 ruddy turnstone
n02027492 26 red-backed sandpiper
n02028035 26 redshank
n02033041 26 dowitcher
n02037110 26 oystercatcher
n02051845 26 pelican
n02056570 26 king penguin
n02058221 26 albatross
n02066245 198 gray whale
n02071294 198 killer whale
n02074367 0 dugong
n02077923 154 sea lion
n02085620 58 Chihuahua
n02085782 58 Japanese spaniel
n02085936 58 Maltese dog
n02086079 58 Pekinese
n02086240 58 Shih-Tzu
n02086646 58 Blenheim spaniel
n02086910 58 papillon
n02087046 58 toy terrier
n02087394 58 Rhodesian ridgeback
n02088094 58 Afghan hound
n02088238 58 basset
n02088364 58 beagle
n02088466 58 bloodhound
n02088632 58 bluetick
n02089078 58 black-and-tan coonhound
n02089867 58 Walker hound
n02089973 58 English foxhound
n02090379 58 redbone
n02090622 58 borzoi
n02090721 58 Irish wolfhound
n02091032 58 Italian grayhound
n02091134 58 whippet
n02091244 58 Ibizan hound
n02091467 58 Norwegian elkhound
n02091635 58 otterhound
n02091831 58 Saluki
n02092002 58 Scottish deerhound
n02092339 58 Weimaraner
n02093256 58 Staffordshire bullterrier
n02093428 58 American Staffordshire terrier
n02093647 58 Bedlington terrier
n02093754 58 Border terrier
n02093859 58 Kerry blue terrier
n02093991 58 Irish terrier
n02094114 58 Norfolk terrier
n02094258 58 Norwich terrier
n02094433 58 Yorkshire terrier
n02095314 58 wire-haired fox terrier
n02095570 58 Lakeland terrier
n02095889 58 Sealyham terrier
n02096051 58 Airedale
n02096177 58 cairn
n02096294 58 Australian terrier
n02096437 58 Dandie Dinmont
n02096585 58 Boston bull
n02097047 58 miniature schnauzer
n02097130 58 giant schnauzer
n02097209 58 standard schnauzer
n02097298 58 Scotch terrier
n02097474 58 Tibetan terrier
n02097658 58 silky terrier
n02098105 58 soft-coated wheaten terrier
n02098286 58 West Highland white terrier
n02098413 58 Lhasa
n02099267 58 flat-coated retriever
n02099429 58 curly-coated retriever
n02099601 58 golden retriever
n02099712 58 Labrador retriever
n02099849 58 Chesapeake Bay retriever
n02100236 58 German short-haired pointer
n02100583 58 vizsla
n02100735 58 English setter
n02100877 58 Irish setter
n02101006 58 Gordon setter
n02101388 58 Brittany spaniel
n02101556 58 clumber
n02102040 58 English springer
n02102177 58 Welsh springer spaniel
n02102318 58 cocker spaniel
n02102480 58 Sussex spaniel
n02102973 58 Irish water spaniel
n02104029 58 kuvasz
n02104365 58 schipperke
n02105056 58 groenendael
n02105162 58 malinois
n02105251 58 briard
n02105412 58 kelpie
n02105505 58 komondor
n02105641 58 Old English sheepdog
n02105855 58 Shetland sheepdog
n02106030 58 collie
n02106166 58 Border collie
n02106382 58 Bouvier des Flandres
n02106550 58 Rottweiler
n02106662 58 German shepherd
n02107142 58 Doberman
n02107312 58 miniature pinscher
n02107574 58 Greater Swiss Mountain dog
n02107683 58 Bernese mountain dog
n02107908 58 Appenzeller
n02108000 58 EntleBucher
n02108089 58 boxer
n02108422 58 bull mastiff
n02108551 58 Tibetan mastiff
n02108915 58 French bulldog
n02109047 58 Great Dane
n02109525 58 Saint Bernard
n02109961 58 Eskimo dog
n02110063 58 malamute
n02110185 58 Siberian husky
n02110341 58 dalmatian
n02110627 58 affenpinscher
n02110806 58 basenji
n02110958 58 pug
n02111129 58 Leonberg
n02111277 58 Newfoundland
n02111500 58 Great Pyrenees
n02111889 58 Samoyed
n02112018 58 Pomeranian
n02112137 58 chow
n02112350 58 keeshond
n02112706 58 Brabancon griffon
n02113023 58 Pembroke
n02113186 58 Cardigan corgi
n02113624 58 toy poodle
n02113712 58 miniature poodle
n02113799 58 standard poodle
n02113978 58 Mexican hairless
n02114367 0 timber wolf
n02114548 0 white wolf
n02114712 0 red wolf
n02114855 0 coyote
n02115641 0 dingo
n02115913 0 dhole
n02116738 0 African hunting dog
n02117135 0 hyena
n02119022 70 red fox
n02119789 70 kit fox
n02120079 70 Arctic fox
n02120505 70 gray fox
n02123045 59 tabby
n02123159 59 tiger cat
n02123394 59 Persian cat
n02123597 59 Siamese cat
n02124075 59 Egyptian cat
n02125311 0 cougar
n02127052 0 lynx
n02128385 0 leopard
n02128757 0 snow leopard
n02128925 0 jaguar
n02129165 103 lion
n02129604 182 tiger
n02130308 0 cheetah
n02132136 20 brown bear
n02133161 20 American black bear
n02134084 20 ice bear
n02134418 20 sloth bear
n02137549 0 mongoose
n02138441 0 meerkat
n02165105 0 tiger beetle
n02165456 99 ladybug
n02167151 0 ground beetle
n02168699 0 long-horned beetle
n02169497 0 leaf beetle
n02172182 0 dung beetle
n02174001 0 rhinoceros beetle
n02177972 0 weevil
n02190166 0 fly
n02206856 21 bee
n02219486 3 ant
n02226429 0 grasshopper
n02229544 0 cricket
n02231487 0 walking stick
n02233338 0 cockroach
n02236044 0 mantis
n02256656 0 cicada
n02259212 0 leafhopper
n02264363 0 lacewing
n02268443 60 dragonfly
n02268853 0 damselfly
n02276258 34 admiral
n02277742 34 ringlet
n02279972 34 monarch
n02280649 34 cabbage butterfly
n02281406 34 sulphur butterfly
n02281787 34 lycaenid
n02317335 167 starfish
n02319095 0 sea urchin
n02321529 0 sea cucumber
n02325366 141 wood rabbit
n02326432 141 hare
n02328150 141 Angora
n02342885 84 hamster
n02346627 134 porcupine
n02356798 166 fox squirrel
n02361337 0 marmot
n02363005 0 beaver
n02364673 0 guinea pig
n02389026 92 sorrel
n02391049 200 zebra
n02395406 175 hog
n02396427 175 wild boar
n02397096 175 warthog
n02398521 90 hippopotamus
n02403003 39 ox
n02408429 0 water buffalo
n02410509 0 bison
n02412080 155 ram
n02415577 155 bighorn
n02417914 0 ibex
n02422106 4 hartebeest
n02422699 4 impala
n02423022 4 gazelle
n02437312 35 Arabian camel
n02437616 0 llama
n02441942 0 weasel
n02442845 0 mink
n02443114 0 polecat
n02443484 0 black-footed ferret
n02444819 120 otter
n02445715 157 skunk
n02447366 0 badger
n02454379 6 armadillo
n02457408 0 three-toed sloth
n02480495 0 orangutan
n02480855 0 gorilla
n02481823 0 chimpanzee
n02483362 0 gibbon
n02483708 0 siamang
n02484975 113 guenon
n02486261 113 patas
n02486410 113 baboon
n02487347 113 macaque
n02488291 113 langur
n02488702 113 colobus
n02489166 113 proboscis monkey
n02490219 113 marmoset
n02492035 113 capuchin
n02492660 113 howler monkey
n02493509 113 titi
n02493793 113 spider monkey
n02494079 113 squirrel monkey
n02497673 0 Madagascar cat
n02500267 0 indri
n02504013 64 Indian elephant
n02504458 64 African elephant
n02509815 144 lesser panda
n02510455 74 giant panda
n02514041 0 barracouta
n02526121 0 eel
n02536864 0 coho
n02606052 0 rock beauty
n02607072 0 anemone fish
n02640242 0 sturgeon
n02641379 0 gar
n02643566 0 lionfish
n02655020 0 puffer
n02666196 0 abacus
n02667093 0 abaya
n02669723 0 academic gown
n02672831 1 accordion
n02676566 79 acoustic guitar
n02687172 197 aircraft carrier
n02690373 2 airliner
n02692877 0 airship
n02699494 0 altar
n02701002 37 ambulance
n02704792 0 amphibian
n02708093 0 analog clock
n02727426 0 apiary
n02730930 0 apron
n02747177 0 ashcan
n02749479 0 assault rifle
n02769748 10 backpack
n02776631 0 bakery
n02777292 12 balance beam
n02782093 0 balloon
n02783161 0 ballpoint
n02786058 14 Band Aid
n02787622 15 banjo
n02788148 0 bannister
n02790996 0 barbell
n02791124 43 barber chair
n02791270 0 barbershop
n02793495 0 barn
n02794156 0 barometer
n02795169 0 barrel
n02797295 0 barrow
n02799071 16 baseball
n02802426 17 basketball
n02804414 9 bassinet
n02804610 0 bassoon
n02807133 18 bathing cap
n02808304 0 bath towel
n02808440 0 bathtub
n02814533 37 beach wagon
n02814860 0 beacon
n02815834 19 beaker
n02817516 0 bearskin
n02823428 0 beer bottle
n02823750 0 beer glass
n02825657 0 bell cote
n02834397 0 bib
n02835271 24 bicycle-built-for-two
n02837789 0 bikini
n02840245 25 binder
n02841315 0 binoculars
n02843684 0 birdhouse
n02859443 0 boathouse
n02860847 0 bobsled
n02865351 0 bolo tie
n02869837 0 bonnet
n02870880 27 bookcase
n02871525 0 bookshop
n02877765 0 bottlecap
n02879718 29 bow
n02883205 28 bow tie
n02892201 0 brass
n02892767 31 brassiere
n02894605 0 breakwater
n02895154 0 breastplate
n02906734 0 broom
n02909870 0 bucket
n02910353 0 buckle
n02916936 0 bulletproof vest
n02917067 185 bullet train
n02927161 0 butcher shop
n02930766 37 cab
n02939185 0 caldron
n02948072 0 candle
n02950826 0 cannon
n02951358 197 canoe
n02951585 36 can opener
n02963159 0 cardigan
n02965783 0 car mirror
n02966193 0 carousel
n02966687 0 carpenter's kit
n02971356 0 carton
n02974003 0 car wheel
n02977058 0 cash machine
n02978881 0 cassette
n02979186 178 cassette player
n02980441 0 castle
n02981792 197 catamaran
n02988304 0 CD player
n02992211 40 cello
n02992529 0 cellular telephone
n02999410 0 chain
n03000134 0 chainlink fence
n03000247 0 chain mail
n03000684 42 chain saw
n03014705 0 chest
n03016953 0 chiffonier
n03017168 44 chime
n03018349 0 china cabinet
n03026506 0 Christmas stocking
n03028079 0 church
n03032252 0 cinema
n03041632 0 cleaver
n03042490 0 cliff dwelling
n03045698 0 cloak
n03047690 0 clog
n03062245 45 cocktail shaker
n03063599 54 coffee mug
n03063689 0 coffeepot
n03065424 0 coil
n03075370 0 combination lock
n03085013 47 computer keyboard
n03089624 0 confectionery
n03095699 197 container ship
n03100240 37 convertible
n03109150 49 corkscrew
n03110669 187 cornet
n03124043 0 cowboy boot
n03124170 87 cowboy hat
n03125729 9 cradle
n03126707 0 crane (machine)
n03127747 89 crash helmet
n03127925 0 crate
n03131574 9 crib
n03133878 0 Crock Pot
n03134739 51 croquet ball
n03141823 52 crutch
n03146219 0 cuirass
n03160309 0 dam
n03179701 177 desk
n03180011 0 desktop computer
n03187595 0 dial telephone
n03188531 55 diaper
n03196217 56 digital clock
n03197337 0 digital watch
n03201208 177 dining table
n03207743 0 dishrag
n03207941 57 dishwasher
n03208938 0 disk brake
n03216828 0 dock
n03218198 0 dogsled
n03220513 0 dome
n03223299 0 doormat
n03240683 0 drilling platform
n03249569 61 drum
n03250847 0 drumstick
n03255030 62 dumbbell
n03259280 0 Dutch oven
n03271574 63 electric fan
n03272010 79 electric guitar
n03272562 0 electric locomotive
n03290653 0 entertainment center
n03291819 0 envelope
n03297495 46 espresso maker
n03314780 65 face powder
n03325584 0 feather boa
n03337140 67 file
n03344393 197 fireboat
n03345487 0 fire engine
n03347037 0 fire screen
n03355925 0 flagpole
n03372029 69 flute
n03376595 43 folding chair
n03379051 89 football helmet
n03384352 0 forklift
n03388043 0 fountain
n03388183 0 fountain pen
n03388549 0 four-poster
n03393912 0 freight car
n03394916 71 French horn
n03400231 73 frying pan
n03404251 0 fur coat
n03417042 0 garbage truck
n03424325 0 gasmask
n03425413 0 gas pump
n03443371 0 goblet
n03444034 0 go-kart
n03445777 76 golf ball
n03445924 77 golfcart
n03447447 197 gondola
n03447721 0 gong
n03450230 0 gown
n03452741 125 grand piano
n03457902 0 greenhouse
n03459775 0 grille
n03461385 0 grocery store
n03467068 0 guillotine
n03476684 0 hair slide
n03476991 81 hair spray
n03478589 0 half track
n03481172 83 hammer
n03482405 0 hamper
n03483316 80 hand blower
n03485407 0 hand-held computer
n03485794 0 handkerchief
n03492542 0 hard disc
n03494278 85 harmonica
n03495258 86 harp
n03496892 0 harvester
n03498962 8 hatchet
n03527444 0 holster
n03529860 0 home theater
n03530642 0 honeycomb
n03532672 0 hook
n03534580 0 hoopskirt
n03535780 91 horizontal bar
n03538406 38 horse cart
n03544143 0 hourglass
n03584254 94 iPod
n03584829 0 iron
n03590841 0 jack-o'-lantern
n03594734 0 jean
n03594945 37 jeep
n03595614 0 jersey
n03598930 0 jigsaw puzzle
n03599486 38 jinrikisha
n03602883 0 joystick
n03617480 0 kimono
n03623198 0 knee pad
n03627232 0 knot
n03630383 0 lab coat
n03633091 98 ladle
n03637318 0 lampshade
n03642806 101 laptop
n03649909 0 lawn mower
n03657121 0 lens cap
n03658185 0 letter opener
n03661043 0 library
n03662601 197 lifeboat
n03666591 0 lighter
n03670208 37 limousine
n03673027 197 liner
n03676483 104 lipstick
n03680355 0 Loafer
n03690938 50 lotion
n03691459 0 loudspeaker
n03692522 0 loupe
n03697007 0 lumbermill
n03706229 0 magnetic compass
n03709823 0 mailbag
n03710193 0 mailbox
n03710637 0 maillot
n03710721 107 tank suit
n03717622 0 manhole cover
n03720891 108 maraca
n03721384 0 marimba
n03724870 0 mask
n03729826 0 matchstick
n03733131 0 maypole
n03733281 0 maze
n03733805 0 measuring cup
n03742115 0 medicine chest
n03743016 0 megalith
n03759954 109 microphone
n03761084 110 microwave
n03763968 0 military uniform
n03764736 111 milk can
n03769881 33 minibus
n03770439 112 miniskirt
n03770679 37 minivan
n03773504 0 missile
n03775071 0 mitten
n03775546 30 mixing bowl
n03776460 0 mobile home
n03777568 37 Model T
n03777754 0 modem
n03781244 0 monastery
n03782006 189 monitor
n03785016 114 moped
n03786901 0 mortar
n03787032 0 mortarboard
n03788195 0 mosque
n03788365 0 mosquito net
n03791053 114 motor scooter
n03792782 24 mountain bike
n03792972 0 mountain tent
n03793489 48 mouse
n03794056 0 mousetrap
n03796401 0 moving van
n03803284 0 muzzle
n03804744 116 nail
n03814639 117 neck brace
n03814906 0 necklace
n03825788 0 nipple
n03832673 101 notebook
n03837869 0 obelisk
n03838899 118 oboe
n03840681 0 ocarina
n03841143 0 odometer
n03843555 0 oil filter
n03854065 0 organ
n03857828 0 oscilloscope
n03866082 0 overskirt
n03868242 38 oxcart
n03868863 0 oxygen mask
n03871628 0 packet
n03873416 0 paddle
n03874293 0 paddlewheel
n03874599 0 padlock
n03876231 0 paintbrush
n03877472 0 pajama
n03877845 0 palace
n03884397 0 panpipe
n03887697 0 paper towel
n03888257 0 parachute
n03888605 0 parallel bars
n03891251 23 park bench
n03891332 0 parking meter
n03895866 0 passenger car
n03899768 0 patio
n03902125 0 pay-phone
n03903868 0 pedestal
n03908618 121 pencil box
n03908714 122 pencil sharpener
n03916031 123 perfume
n03920288 0 Petri dish
n03924679 0 photocopier
n03929660 0 pick
n03929855 0 pickelhaube
n03930313 0 picket fence
n03930630 0 pickup
n03933933 0 pier
n03935335 0 piggy bank
n03937543 0 pill bottle
n03938244 0 pillow
n03942813 127 ping-pong ball
n03944341 0 pinwheel
n03947888 197 pirate
n03950228 128 pitcher
n03954731 0 plane
n03956157 0 planetarium
n03958227 130 plastic bag
n03961711 131 plate rack
n03967562 0 plow
n03970156 0 plunger
n03976467 0 Polaroid camera
n03976657 0 pole
n03977966 0 police van
n03980874 0 poncho
n03982430 177 pool table
n03983396 0 pop bottle
n03991062 68 pot
n03992509 0 potter's wheel
n03995372 135 power drill
n03998194 0 prayer rug
n04004767 137 printer
n04005630 0 prison
n04008634 0 projectile
n04009552 0 projector
n04019541 138 puck
n04023962 139 punching bag
n04026417 140 purse
n04033901 0 quill
n04033995 0 quilt
n04037443 37 racer
n04039381 142 racket
n04040759 0 radiator
n04041544 0 radio
n04044716 0 radio telescope
n04049303 0 rain barrel
n04065272 0 recreational vehicle
n04067472 0 reel
n04069434 0 reflex camera
n04070727 145 refrigerator
n04074963 146 remote control
n04081281 0 restaurant
n04086273 0 revolver
n04090263 0 rifle
n04099969 43 rocking chair
n04111531 0 rotisserie
n04116512 147 rubber eraser
n04118538 148 rugby ball
n04118776 149 rule
n04120489 0 running shoe
n04125021 0 safe
n04127249 0 safety pin
n04131690 150 saltshaker
n04133789 0 sandal
n04136333 0 sarong
n04141076 151 sax
n04141327 0 scabbard
n04141975 0 scale
n04146614 33 school bus
n04147183 197 schooner
n04149813 0 scoreboard
n04152593 189 screen
n04153751 0 screw
n04154565 153 screwdriver
n04162706 0 seat belt
n04179913 0 sewing machine
n04192698 0 shield
n04200800 0 shoe shop
n04201297 0 shoji
n04204238 0 shopping basket
n04204347 0 shopping cart
n04208210 0 shovel
n04209133 18 shower cap
n04209239 0 shower curtain
n04228054 156 ski
n04229816 0 ski mask
n04235860 0 sleeping bag
n04238763 0 slide rule
n04239074 0 sliding door
n04243546 0 slot
n04251144 0 snorkel
n04252077 160 snowmobile
n04252225 161 snowplow
n04254120 162 soap dispenser
n04254680 163 soccer ball
n04254777 0 sock
n04258138 0 solar dish
n04259630 87 sombrero
n04263257 30 soup bowl
n04264628 0 space bar
n04265275 0 space heater
n04266014 0 space shuttle
n04270147 165 spatula
n04273569 197 speedboat
n04275548 0 spider web
n04277352 0 spindle
n04285008 37 sports car
n04286575 0 spotlight
n04296562 0 stage
n04310018 0 steam locomotive
n04311004 0 steel arch bridge
n04311174 61 steel drum
n04317175 168 stethoscope
n04325704 0 stole
n04326547 0 stone wall
n04328186 0 stopwatch
n04330267 169 stove
n04332243 170 strainer
n04335435 0 streetcar
n04336792 172 stretcher
n04344873 164 studio couch
n04346328 0 stupa
n04347754 197 submarine
n04350905 0 suit
n04355338 0 sundial
n04355933 0 sunglass
n04356056 173 sunglasses
n04357314 50 sunscreen
n04366367 0 suspension bridge
n04367480 0 swab
n04370456 0 sweatshirt
n04371430 174 swimming trunks
n04371774 0 swing
n04372370 0 switch
n04376876 176 syringe
n04380533 100 table lamp
n04389033 0 tank
n04392985 178 tape player
n04398044 0 teapot
n04399382 0 teddy
n04404412 0 television
n04409515 179 tennis ball
n04417672 0 thatch
n04418357 0 theater curtain
n04423845 0 thimble
n04428191 0 thresher
n04429376 43 throne
n04435653 0 tile roof
n04442312 183 toaster
n04443257 0 tobacco shop
n04447861 0 toilet seat
n04456115 0 torch
n04458633 0 totem pole
n04461696 0 tow truck
n04462240 0 toyshop
n04465501 0 tractor
n04467665 0 trailer truck
n04476259 0 tray
n04479046 0 trench coat
n04482393 0 tricycle
n04483307 197 trimaran
n04485082 0 tripod
n04486054 0 triumphal arch
n04487081 33 trolleybus
n04487394 186 trombone
n04493381 0 tub
n04501370 0 turnstile
n04505470 0 typewriter keyboard
n04507155 0 umbrella
n04509417 190 unicycle
n04515003 125 upright
n04517823 191 vacuum
n04522168 0 vase
n04523525 0 vault
n04525038 0 velvet
n04525305 0 vending machine
n04532106 0 vestment
n04532670 0 viaduct
n04536866 192 violin
n04540053 193 volleyball
n04542943 194 waffle iron
n04548280 0 wall clock
n04548362 0 wallet
n04550184 0 wardrobe
n04552348 0 warplane
n04553703 0 washbasin
n04554684 195 washer
n04557648 196 water bottle
n04560804 0 water jug
n04562935 0 water tower
n04579145 0 whiskey jug
n04579432 0 whistle
n04584207 0 wig
n04589890 0 window screen
n04590129 0 window shade
n04591157 181 Windsor tie
n04591713 199 wine bottle
n04592741 0 wing
n04596742 0 wok
n04597913 0 wooden spoon
n04599235 0 wool
n04604644 0 worm fence
n04606251 197 wreck
n04612504 197 yawl
n04613696 0 yurt
n06359193 0 web site
n06596364 0 comic book
n06785654 0 crossword puzzle
n06794110 0 street sign
n06874185 184 traffic light
n07248320 0 book jacket
n07565083 0 menu
n07579787 0 plate
n07583066 78 guacamole
n07584110 0 consomme
n07590611 0 hot pot
n07613480 0 trifle
n07614500 0 ice cream
n07615774 133 ice lolly
n07684084 0 French loaf
n07693725 11 bagel
n07695742 136 pretzel
n07697313 82 cheeseburger
n07697537 93 hotdog
n07711569 0 mashed potato
n07714571 88 head cabbage
n07714990 0 broccoli
n07715103 0 cauliflower
n07716358 0 zucchini
n07716906 0 spaghetti squash
n07717410 0 acorn squash
n07717556 0 butternut squash
n07718472 53 cucumber
n07718747 7 artichoke
n07720875 22 bell pepper
n07730033 0 cardoon
n07734744 115 mushroom
n07742313 5 Granny Smith
n07745940 171 strawberry
n07747607 119 orange
n07749582 102 lemon
n07753113 66 fig
n07753275 126 pineapple
n07753592 13 banana
n07754684 0 jackfruit
n07760859 0 custard apple
n07768694 132 pomegranate
n07802026 0 hay
n07831146 0 carbonara
n07836838 0 chocolate sauce
n07860988 0 dough
n07871810 0 meat loaf
n07873807 129 pizza
n07875152 0 potpie
n07880968 32 burrito
n07892512 0 red wine
n07920052 0 espresso
n07930864 54 cup
n07932039 0 eggnog
n09193705 0 alp
n09229709 0 bubble
n09246464 0 cliff
n09256479 0 coral reef
n09288635 0 geyser
n09332890 0 lakeside
n09399592 0 promontory
n09421951 0 sandbar
n09428293 0 seashore
n09468604 0 valley
n09472597 0 volcano
n09835506 124 ballplayer
n10148035 124 groom
n10565667 124 scuba diver
n11879895 0 rapeseed
n11939491 0 daisy
n12057211 0 yellow lady's slipper
n12144580 0 corn
n12267677 0 acorn
n12620546 0 hip
n12768682 0 buckeye
n12985857 0 coral fungus
n12998815 0 agaric
n13037406 0 gyromitra
n13040303 0 stinkhorn
n13044778 0 earthstar
n13052670 0 hen-of-the-woods
n13054560 0 bolete
n13133613 0 ear
n15075141 0 toilet tissue
"""
