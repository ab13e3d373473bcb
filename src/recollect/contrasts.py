"""Words that two texts must agree on to be one thing told twice: numbers, days, months, what comes before or after; negations.

In English, Spanish, German, French, Italian and Portuguese. A word that is one of these in one language and says nothing in
another does no harm: two texts that differ in it are kept apart.
"""

from __future__ import annotations

MARKED = frozenset(
    # English; months and days of the week have capitals
    " one two three four five six seven eight nine ten eleven twelve dozen hundred thousand once twice first second"
    " third last"
    " yesterday today tonight tomorrow early late before after more less"
    # Spanish
    " uno dos tres cuatro cinco seis siete ocho nueve diez once doce docena veinte treinta cien mil primero primera"
    " segundo segunda"
    " tercero tercera último última ayer hoy mañana antes después más menos enero febrero marzo abril mayo junio"
    " julio agosto"
    " septiembre octubre noviembre diciembre lunes martes miércoles jueves viernes sábado domingo"
    # German
    " ein eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig hundert tausend einmal zweimal"
    " erste ersten zweite"
    " zweiten dritte dritten letzte letzten gestern heute morgen früh spät vor nach mehr weniger"
    # French
    " deux trois quatre cinq sept huit neuf dix onze douze vingt cent mille premier première deuxième dernier"
    " dernière hier demain"
    " avant après plus moins janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
    " lundi mardi"
    " mercredi jeudi vendredi samedi dimanche"
    # Italian
    " due tre quattro cinque sei sette otto nove dieci undici dodici venti cento primo prima secondo seconda terzo"
    " ultimo ultima ieri"
    " oggi domani dopo più meno gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre lunedì"
    " martedì mercoledì"
    " giovedì venerdì sabato domenica"
    # Portuguese
    " dois duas três quatro sete oito dez onze doze vinte cem primeiro primeira ontem hoje amanhã depois mais menos"
    " janeiro fevereiro"
    " março maio junho julho setembro outubro novembro dezembro".split()
)
NEGATIONS = frozenset(
    "not no never none nobody nothing neither nor without cannot longer stopped quit"
    " nunca jamás nadie nada ningún ninguna ninguno ni sin tampoco"
    " nicht kein keine keinen keiner keinem keines nie niemals nichts niemand ohne"
    " ne n'est pas jamais rien personne aucun aucune sans"
    " non mai niente nessuno nessuna senza"
    " não nem ninguém nenhum nenhuma sem".split()
)
